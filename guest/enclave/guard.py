#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: guard.py IN OUT: gives an enclave's file a guard for the stack protector.

Debian builds libsodium with the stack protector, which takes its guard from %fs:0x28. An enclave has nothing there. So
each of these instructions gets a constant of the same length. Such a guard finds accidents; an attacker can read it.
"""
import re
import sys

GUARD = b"\x00\x0a\xff\x0d"
NOP = b"\x66\x90"
# Opcode r64, m64 -> opcode and ModRM for r/m64, imm32 (APM3: MOV, SUB, XOR, CMP)
WITH_CONSTANT = {0x8B: (0xC7, 0xC0), 0x2B: (0x81, 0xE8), 0x33: (0x81, 0xF0), 0x3B: (0x81, 0xF8)}
ANY = rb"\x64([\x48\x4c])([\x8b\x2b\x33\x3b])([\x04\x0c\x14\x1c\x24\x2c\x34\x3c])\x25\x28\x00\x00\x00"


def with_constant(match):
    rex, opcode, modrm = (group[0] for group in match.groups())
    to, to_modrm = WITH_CONSTANT[opcode]
    return bytes([0x48 | rex >> 2 & 1, to, to_modrm | modrm >> 3 & 7]) + GUARD + NOP


def main():
    with open(sys.argv[1], "rb") as file:
        content = file.read()
    with open(sys.argv[2], "wb") as file:
        file.write(re.sub(ANY, with_constant, content, flags=re.DOTALL))


main()
