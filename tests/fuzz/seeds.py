#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""usage: seeds.py TARGET DIR

Writes inputs of fuzz-TARGET into DIR that a fuzzer takes long to find by itself: one for each rule that the code under
test checks, named after it. Their layouts stand at the heads of fuzz_TARGET.c; numbers are little-endian. Targets
without seeds of their own get a kilobyte of zeros, as all do.
"""
import pathlib
import struct
import sys

NEXT, WRITE, INDIRECT = 1, 2, 4
DESC, AVAIL, USED, HOLE = 0x1000, 0x2000, 0x3000, 0x80000  # tests/unit/virtq_driver.h
BUFFER = 0x10000


def descriptor(addr, length, flags=0, succ=0):
    return addr, length | flags << 32 | succ << 48


# --- virtq: a header, then steps that write one word, pop, and offer ---

POP = 2


def step(at, word, size, what=0):
    return struct.pack("<BHQ", what | (size == 8), (at - DESC) // 2, word)


def offer(n):
    """What has the next pop find n chains."""
    return 4 | n << 4


def queue(size, descriptors, ring=(0,), offered=None, pops=None, rings=(None, None, None)):
    """Descriptors by number, an available ring, so many offered, so many pops."""
    text = struct.pack("<H3B3Q", size, *(r is not None for r in rings), *(r or 0 for r in rings))
    for n, words in descriptors.items():
        for i, word in enumerate(words):
            text += step(DESC + 16 * n + 8 * i, word, 8)
    for i, head in enumerate(ring):
        text += step(AVAIL + 4 + 2 * i, head, 2)
    offered = len(ring) if offered is None else offered
    text += step(AVAIL, 0, 2, offer(offered))
    return text + step(AVAIL, 0, 2, POP) * (offered if pops is None else pops)


def chain(n, length=16):
    return {i: descriptor(BUFFER + i * length, length, NEXT if i < n - 1 else 0, i + 1) for i in range(n)}


def virtq():
    yield "one-buffer", queue(8, chain(1))
    yield "in-then-out", queue(8, {0: descriptor(BUFFER, 8, NEXT, 1), 1: descriptor(BUFFER + 64, 8, WRITE)})
    yield "out-then-in", queue(8, {0: descriptor(BUFFER, 8, NEXT | WRITE, 1), 1: descriptor(BUFFER, 8)})
    yield "as-long-as-the-queue", queue(8, chain(8))
    yield "largest-queue", queue(128, chain(128))
    yield "indirect", queue(8, {0: descriptor(BUFFER, 16, INDIRECT), 1: descriptor(BUFFER, 16)}, (0, 1))
    yield "indirect-behind-another", queue(8, {0: descriptor(BUFFER, 8, NEXT, 1), 1: descriptor(BUFFER, 16, INDIRECT)})
    yield "indirect-with-next", queue(8, {0: descriptor(BUFFER, 16, INDIRECT | NEXT, 1), 1: descriptor(BUFFER, 16)})
    yield "loop", queue(8, {i: descriptor(BUFFER, 16, NEXT, (i + 1) % 3) for i in range(3)})
    yield "loop-onto-itself", queue(8, {0: descriptor(BUFFER, 16, NEXT, 0)})
    yield "loop-of-empty-buffers", queue(128, {0: descriptor(BUFFER, 0, NEXT, 1), 1: descriptor(BUFFER, 0, NEXT, 0)})
    yield "successor-outside", queue(8, {0: descriptor(BUFFER, 16, NEXT, 8)})
    yield "head-outside", queue(8, chain(1), (8,))
    yield "index-jumps", queue(4, chain(1), (0,) * 4, 5, 1)
    offered, popped = step(AVAIL, 0, 2, offer(1)), step(AVAIL, 0, 2, POP)
    yield "ring-wraps", queue(2, chain(1), (0, 0)) + (step(AVAIL, 0, 2, offer(2)) + popped * 2) * 9
    yield "ring-of-one", queue(1, chain(1)) + (offered + popped) * 170
    yield "length-wraps", queue(8, {0: descriptor(2**64 - 8, 16)})
    yield "length-ends-at-the-end", queue(8, {0: descriptor(2**64 - 16, 15)})
    yield "4-gib", queue(8, {0: descriptor(0, 2**32 - 1, NEXT, 1), 1: descriptor(0, 1)})
    yield "buffer-in-the-hole", queue(8, {0: descriptor(HOLE - 8, 16)})
    yield "buffer-across-pages", queue(8, {0: descriptor(BUFFER - 8, 5000)})
    for i, name in enumerate(("table", "available", "used")):
        places = {"in-the-hole": HOLE, "into-the-hole": HOLE - 16, "misaligned": DESC + 1, "at-the-end": 2**64 - 16}
        for where, at in places.items():
            yield f"{name}-{where}", queue(8, chain(1), rings=[at if i == n else None for n in range(3)])
    yield "used-element-across-pages", queue(8, chain(1), rings=(None, None, USED - 8))
    yield "used-on-available", queue(4, chain(1), (0,) * 4, rings=(None, None, AVAIL))
    yield "used-on-table", queue(4, chain(1), (0,) * 4, rings=(None, None, DESC))
    yield "available-on-table", queue(8, chain(1), rings=(None, DESC, None))
    for size in (0, 3, 129, 256, 0xffff):
        yield f"size-{size}", queue(size, chain(1))
    changed = struct.pack("<BHQ", POP | 1, 4, descriptor(BUFFER, 16, INDIRECT)[1])
    yield "turns-indirect", queue(8, chain(1), (0, 0), 2, 1) + changed


# --- balloon: a byte that sets the device up, then steps ---

INFLATE, DEFLATE, STATS, REPORTING = 0, 1, 2, 4
SERVE = 0x80


def action(what, which=0, a=0, v=0):
    return struct.pack("<BBHI", what, which, a, v)


def request(which, first, pages=1, stride=1, serve=SERVE, odd=0):
    """Page numbers first, first + stride, ..."""
    return action(6 | serve, which, pages - 1 | stride - 1 << 4 | odd, first)


def ring_word(which, at, v, what=0):
    return action(2 | what, 0, (at - DESC + which * 0x3000) // 4, v)


def shaped(which, words, head=0):
    """A request whose descriptors are made over before it is served. By number: length, flags and successor."""
    text = request(which, 0x50, serve=0)
    for n, (length, flags, succ) in words.items():
        text += ring_word(which, DESC + 16 * n, 0x50000) + ring_word(which, DESC + 16 * n + 4, 0)
        text += ring_word(which, DESC + 16 * n + 8, length) + ring_word(which, DESC + 16 * n + 12, flags | succ << 16)
    return text + ring_word(which, AVAIL + 4, head, SERVE)


def balloon():
    up = b"\1"
    drive, reset_next, wish = action(3), action(4), action(5 | SERVE, 0, 12, 16)
    yield "up-and-down", up + request(INFLATE, 0x40, 16) + request(DEFLATE, 0x40, 16)
    yield "runs", up + request(INFLATE, 0x40, 16, 2) + request(DEFLATE, 0x42, 4, 4)
    yield "high-memory", up + request(INFLATE, 2, 2, odd=0x100) + request(DEFLATE, 2, 1, odd=0x100)
    yield "twice", up + request(INFLATE, 0x40, 4) + request(INFLATE, 0x42, 4)
    yield "never-given", up + request(INFLATE, 0x40, 4) + request(DEFLATE, 0x42, 4)
    yield "image", up + request(INFLATE, 0x5e, 4)
    yield "outside", up + request(INFLATE, 0xff, 2)
    yield "to-write-to", up + request(INFLATE, 0x40, 4, odd=0x1000)
    yield "statistics", up + request(STATS, 0x40, 8) + wish + request(STATS, 0x48, 2) + wish
    yield "reports", up + request(REPORTING, 0x40, 16) + request(REPORTING, 0x40, 1)
    yield "reports-held", up + request(INFLATE, 0x42) + request(REPORTING, 0x40, 4)
    yield "reports-image", up + request(REPORTING, 0x5e, 4)
    yield "reports-beyond", up + request(REPORTING, 0xff, 2)
    yield "reset-while-away", up + reset_next + request(INFLATE, 0x40, 8) + drive + request(INFLATE, 0x40, 8)
    yield "reset-while-inflated", up + request(INFLATE, 0x40, 8) + drive + request(INFLATE, 0x40, 8)
    yield "status-out-of-order", b"\0" + action(1, 0, 0x1c, 4) + action(1, 0, 0x1c, 15) + drive + request(INFLATE, 0x40)
    for name, which in (("inflate", INFLATE), ("deflate", DEFLATE), ("statistics", STATS), ("reports", REPORTING)):
        out = WRITE if which == REPORTING else 0
        yield f"{name}-indirect", up + shaped(which, {0: (16, INDIRECT, 0)})
        yield f"{name}-loop", up + shaped(which, {0: (4096, NEXT | out, 1), 1: (4096, NEXT | out, 0)})
        yield f"{name}-loop-onto-itself", up + shaped(which, {0: (4096, NEXT | out, 0)})
        yield f"{name}-chain", up + shaped(which, {i: (4096, out | (NEXT if i < 3 else 0), i + 1) for i in range(4)})
        yield f"{name}-wrong-direction", up + shaped(which, {0: (4096, out ^ WRITE, 0)})
        yield f"{name}-not-whole", up + shaped(which, {0: (4097, out, 0)})
        yield f"{name}-empty", up + shaped(which, {0: (0, out, 0)})
        yield f"{name}-too-long", up + shaped(which, {0: (0x20000, out, 0)})
        yield f"{name}-outside", up + shaped(which, {0: (0x40000, out, 0)})
        yield f"{name}-head-outside", up + shaped(which, {}, 8)


# --- json: the length of a piece less one, then a client's bytes ---


def command(name, arguments=""):
    return b'{"execute":"%s"%s}' % (name.encode(), b',"arguments":%s' % arguments.encode() if arguments else b"")


def json():
    names = ("query-version", "query-commands", "query-name", "query-status", "query-balloon", "query-balloon-stats",
             "query-stats", "query-stats-schemas", "query-paging", "query-enclaves", "query-tables", "query-snapshot", "fingerprint", "stop",
             "cont", "system_reset",
             "quit")
    texts = {
        "commands": b"".join(map(command, names)),
        "arguments": command("balloon", '{"value":1048576}') + command("reclaim", '{"gpa":4096,"size":8192}')
        + command("query-stats", '{"target":"vcpu","vcpus":["/machine/cpu[0]"],'
                  '"providers":[{"provider":"kvm","names":["exits"]}]}'),
        "walks": b"".join(command("walk", a) for a in (
            '{"address":"0x400000"}', '{"address":"18446744073709551615","access":"x","privilege":"user","cpu":1}',
            '{"address":"0x8000000000000000","access":"w","cpu":-1}', '{"address":""}', '{"address":1}',
            '{"address":"1","access":"rw"}')) + command("query-tables", '{"stage":"stage2","address":"0x1000","cpu":0}'),
        "fingerprints": command("fingerprint", '{"algorithm":"xxh3","key":"%s","stop":true}' % ("0f" * 32))
        + command("fingerprint-hashes", '{"version":1,"level":0,"first":512,"count":512}')
        + b"".join(command("fingerprint-hashes", '{"version":1,"level":%s,"first":%s,"count":%s}' % a) for a in (
            (5, 0, 1), (4, 1, 1), (0, 2**36 - 1, 2), (0, 0, 4097), (0, 0, 0), (-1, 0, 1), (0, 2**63 - 1, 4096))),
        "dedup": command("dedup-store", '{"users":true}') + command("dedup-places", '{"gpa":0,"size":4096}') + b"".join(
            command(name, '{"ranges":[%s]}' % ranges)
            for name in ("dedup-give", "dedup-take", "dedup-advise")
            for ranges in ('{"gpa":0,"size":4096,"offset":0}', '{"gpa":4096,"size":8192},{"gpa":0,"size":0}', "1",
                           '{"gpa":9223372036854771712,"size":4096}', '{"gpa":0,"size":-4096}')),
        "snapshot": command("snapshot-save", '{"file":"/dev/null"}') + command("query-snapshot"),
        "wrong-arguments": b"".join(command("balloon", a) for a in ('{"value":"1"}', '{"x":1,"value":1}', "{}", "[]")),
        "no-requests": b'{"execute":1}{"exec-oob":"stop"}{"id":1}[]1 "x" null true',
        "numbers": b"".join(command("balloon", '{"value":%s}' % n)
                            for n in ("-1", "9223372036854775808", "1e999", "-0.0", "1E+2", "01", "1.", "-", "+1")),
        "escapes": rb'{"id":"\ud83d\ude00\n\"\\"}{"id":"\ud800"}{"id":"\u0000"}{"id":"\x"}',
        "utf-8": b'{"id":"\xc3\xa9"}{"id":"\xc3"}{"id":"\xed\xa0\x80"}{"id":"\xf5\x80\x80\x80"}"\n"',
        "same-key-twice": b'{"id":1,"id":2,"execute":"query-name"}',
        "single-quotes": rb"""{'execute':'query-name','id':'a"\'\"\u0027\u0022'}{'id':"'"}['"',"'"]'""" b"\xff",
        "big-ids": b"".join(b'{"execute":"query-name","id": %s }' % n for n in (
            b"18446744073709551615", b"-99999999999999999999", b"1e400", b"[-1E400,{'id':0.1}]", b"1.e400", b"01")),
        "names-of-id": rb'{"\u0069d":1,"execute":"query-name"}{"i\u0064":1}{"ID":1}{"a":"id","b":{"id":2}}',
        "brackets": b'}]{"a":]}{[}]\xff{}',
        "deepest": b"[" * 1024 + b"]" * 1024,
        "too-deep": b"[" * 1025 + b"]" * 1025 + command("query-name"),
        "too-long": b'{"id":"' + b"x" * 3000 + b'"}' + command("query-name"),
        "too-long-without-end": b"1" * 3000,
        "cut-off": b'{"execute":"query-na\xff{"execute":"query-name"}"abc\xff1',
        "between": b'\r\n\t {"id":1} ,;{"id":2}\0{"id":3}',
    }
    for name, text in texts.items():
        for piece in (1, 7, 256):
            yield f"{name}-by-{piece}", bytes([piece - 1]) + text


# --- enclave_image: an ELF file ---

LOAD, STACK = 1, 0x6474e551
X, W, R = 1, 2, 4


def elf(*headers, entry=0x400010, size=0x400):
    """Program headers as (type, flags, offset, vaddr, filesz, memsz)."""
    text = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, entry, 64, 0, 0, 64, 56, len(headers), 0, 0, 0)
    for kind, flags, offset, vaddr, filesz, memsz in headers:
        text += struct.pack("<IIQQQQQQ", kind, flags, offset, vaddr, vaddr, filesz, memsz, 4096)
    return text.ljust(size, b"\x90")


def enclave_image():
    code, stack = (LOAD, R | X, 0x200, 0x400000, 64, 64), (STACK, R | W, 0, 0, 0, 0x4000)
    data = (LOAD, R | W, 0x240, 0x402080, 64, 0x1000)
    top = 0x7ffffffff000
    yield "good", elf(code, data, stack)
    yield "odd-bytes-at-page-ends", elf(code, (LOAD, R, 0x201, 0x401fff, 2, 0x1002), stack)
    yield "share-a-page", elf(code, (LOAD, R | W, 0x240, 0x400800, 64, 64), stack)
    yield "downwards", elf(code, (LOAD, R | W, 0x240, 0x300000, 64, 64), stack)
    yield "writable-code", elf((LOAD, R | W | X, 0x200, 0x400000, 64, 64), stack)
    yield "behind-the-end", elf(code, (LOAD, R, 0x3c1, 0x402000, 64, 64), stack)
    yield "offset-wraps", elf(code, (LOAD, R, 2**64 - 32, 0x402000, 64, 64), stack)
    yield "memory-wraps", elf(code, (LOAD, R, 0x240, 0x402000, 64, 2**64 - 0x402000), stack)
    yield "no-bytes", elf(code, (LOAD, R | W, 2**64 - 1, 0x402000, 0, 0x1000), stack)
    yield "to-the-top", elf(code, (LOAD, R | W, 0x240, top - 0x3000, 64, 0x1000), (STACK, R | W, 0, 0, 0, 0x1000))
    yield "stack-wraps", elf(code, data, (STACK, R | W, 0, 0, 0, 2**64 - 1))
    yield "largest-stack", elf(code, data, (STACK, R | W, 0, 0, 0, top - 0x405000))
    yield "no-stack", elf(code, data)
    yield "entry-in-data", elf(code, data, stack, entry=0x402080)
    yield "sixteen", elf(code, *((LOAD, R, 0x240, 0x410000 + i * 0x2000, 8, 8) for i in range(15)), stack, size=0x800)
    yield "fifteen", elf(code, *((LOAD, R, 0x240, 0x410000 + i * 0x2000, 8, 8) for i in range(14)), stack, size=0x800)
    yield "headers-behind-the-end", elf(code, data, stack, size=0)[:200]


# --- compare: the threshold, then two results ---

def result(rows, columns=("pages", "page", "ratio", "ratio_ci_low", "ratio_ci_high"), version=1, name="chase"):
    listed = ", ".join(f'{{"name": "{c}", "unit": null}}' for c in columns)
    cells = ", ".join("{" + ", ".join(f'"{c}": {v}' for c, v in zip(columns, row)) + "}" for row in rows)
    return (f'{{"version": {version}, "environment": {{"cpu": "x"}}, "tables": '
            f'[{{"name": "{name}", "columns": [{listed}], "rows": [{cells}]}}]}}').encode()


def compare():
    row, slow, late = (64, '"4k"', 2, 1.9, 2.1), (64, '"4k"', 3, 2.9, 3.1), (8, '"2m"', "null", "null", "null")
    zero = 64, '"4k"', 0, 0, 0
    for name, base, other in (("same", [row], [row]), ("worse", [row], [slow]), ("gone", [row, late], [row]),
                              ("new", [row], [late, row]), ("nothing-in-common", [row], [late]),
                              ("double", [row], [row, slow]), ("from-zero", [zero], [slow])):
        yield name, b"\5" + result(base) + b"\0" + result(other)
    yield "other-table", b"\5" + result([row]) + b"\0" + result([row], name="costs")
    yield "other-version", b"\5" + result([row]) + b"\0" + result([row], version=2)
    yield "no-columns", b"\0" + result([()], ()) + b"\0" + result([()], ())


# --- model_trace: the size of a piece, then a trace or a shape ---

def trace(*addresses, number=None, version=1, reserved=0):
    return (b"\x93GNTR\r\n\x1a" + struct.pack("<II", version, reserved) + struct.pack(f"<{len(addresses)}Q", *addresses) +
            struct.pack("<QQ", 1 << 63, len(addresses) if number is None else number))


def model_trace():
    yield "lackey", b"\5==1== Lackey\nI  04001000,3\n L 1ffefffe58,8\n S 1fff,4\n M 421c7cc,4\n"
    yield "lackey-cut", b"\5 L 1ffefffe58,8\n S 1f"
    yield "lackey-not-canonical", b"\5 L 0100000000000000,8\n"
    yield "lackey-size", b"\5 L 1000,4097\n"
    yield "binary", b"\3" + trace(0x1000, 0xffff800000000000, 2**64 - 1)
    yield "binary-cut", b"\3" + trace(0x1000)[:-9]
    yield "binary-not-canonical", b"\3" + trace(1 << 60)
    yield "binary-other-number", b"\3" + trace(0x1000, number=2)
    yield "binary-goes-on", b"\3" + trace(0x1000) + b"xxxxxxxx"
    yield "binary-version", b"\3" + trace(0x1000, version=2)
    yield "binary-reserved", b"\3" + trace(0x1000, reserved=1)
    yield "binary-nothing", b"\3" + trace()
    yield "shape", (b"\3name = x\nghz = 2.5\ntlb1 = 4k 64 4 # assumed\ntlb2 = 4k+2m 30 5 plru hash\ntlb2.cycles = 7\n"
                    b"pwc = guest+host 3+4 24 24\nnested = 16 16\ncheck = 8 2\ncache = 48K 12 5\nmemory.cycles = 9\n"
                    b"walker.cache = 1\n")


# --- monitor: the depth of the third stage, then messages; behind ENTER and RESUME what the enclave does ---

(CREATE, ADD, EXTEND, INIT, ENTER, RESUME, REMOVE, DESTROY, MAY_ADD, QUERY, RESET, AUDIT, WALKS) = range(13)
EXIT, CALL_OUT, REPORT, KEY = 8, 9, 10, 12


def message(op, page=0, who=1, rights=0, pages=0, flags=0):
    """Of enclave `who`, about its page of this number. Rights: 0 code, 1 data; CREATE: whether there is a buffer."""
    return bytes([0x90 + (op - 1) % 13, who - 1, page, rights, pages, flags, 0, 2])


def fault(vector, page=1):
    return bytes([0, 0, vector, page, 0, 0, 0, 0])


def kick():
    return bytes([3] + [0] * 7)


def syscall(call):
    return bytes([4, call - 7] + [1] * 6)


def monitor():
    built = (message(CREATE, 3, rights=1) + message(ADD) + message(EXTEND) + message(MAY_ADD, 1, rights=1) +
             message(ADD, 1, rights=1, pages=2) + message(EXTEND, 1))
    sealed = built + message(INIT)
    other = message(CREATE, 3, who=2) + message(ADD, who=2)
    resume, end = message(RESUME, flags=1), message(DESTROY)
    for name, text in {
            "sealed": sealed + message(ADD, 3) + message(EXTEND, 2) + message(INIT),
            "exits": sealed + message(ENTER) + syscall(EXIT) + message(ENTER) + syscall(EXIT) + end,
            "calls-out": sealed + message(ENTER) + syscall(CALL_OUT) + resume + syscall(EXIT) + resume,
            "reports": sealed + message(ENTER) + syscall(REPORT) + syscall(KEY) + syscall(CALL_OUT) + resume,
            "is-interrupted": sealed + bytes([*message(ENTER)[:7], 1]) + kick() + resume + kick() + message(RESUME),
            "faults": sealed + message(ENTER) + fault(14) + resume + fault(13) + message(REMOVE, 1) + resume + fault(14),
            "called-while-it-runs": sealed + message(ENTER) + end + kick() + message(ENTER) + kick() +
                                    message(REMOVE, 1) + kick() + message(RESET) + syscall(EXIT) + end,
            "walks": sealed + message(WALKS) + message(QUERY, 1) + message(WALKS, rights=1, pages=3, flags=4) + end,
            "is-reset": other + sealed + message(AUDIT) + message(RESET) + message(QUERY) + sealed,
            "removed": built + message(REMOVE) + message(INIT) + message(ADD) + message(INIT)}.items():
        for depth in range(3):
            yield f"{name}-{1 << depth}", bytes([depth]) + text


# --- snapshot: what it is, then its bytes ---


def entry(gfn, pages, kind, at=0, size=0):
    return struct.pack("<QIIQQ", gfn, pages, kind, at, size)


def snapshot():
    stored, absent, page = 1, 2, 4096
    yield "magic", b"\0GNOMSNAP" + struct.pack("<II", 1, 65536) + bytes(4096)
    yield "version-2", b"\0GNOMSNAP" + struct.pack("<II", 2, 65536) + bytes(4096)
    yield "version-3", b"\0GNOMSNAP" + struct.pack("<II", 3, 65536) + bytes(4096)
    yield "header", b"\1" + struct.pack("<QI", 4 << 20, 1) + b"nested"
    yield "no-memory", b"\1" + struct.pack("<QI", 0, 1)
    yield "no-cpus", b"\1" + struct.pack("<QI", 4 << 20, 0)
    yield "entries", b"\2" + entry(1, 2, stored, page, 2 * page) + entry(5, 4, absent)
    yield "entry-packed", b"\2" + entry(1, 16, 3, 5000, 7)
    yield "entry-packed-too-many", b"\2" + entry(1, 17, 3, 5000, 7)
    yield "entries-overlap", b"\2" + entry(1, 2, absent) + entry(2, 1, absent)
    yield "entry-in-hole", b"\2" + entry(786432, 1, absent)
    yield "entry-wraps", b"\2" + entry(2 ** 64 - 1, 2, absent) + entry(1, 1, stored, 2 ** 64 - page, page)
    circle = struct.pack("<QQ", 0x1000, 0x10080402000) + bytes(page) + struct.pack("<512Q", *[0x1067] * 512)
    yield "tables-in-circles", b"\4" + circle
    yield "tables-absent", b"\4" + struct.pack("<QQ", 0x1000, 0) + bytes(page) + struct.pack("<QQQ", 0x7067, 0xd0000067, 0x1e7)
    yield "tables-large", b"\4" + struct.pack("<QQ", 0x1000, 0) + bytes(page) + struct.pack("<Q", 0x2067) + bytes(
        page - 8) + struct.pack("<QQ", 0xe7, 0x80000000000000e7)
    yield "chain", b"\5\0" + bytes([0, 0, 40, 7]) + bytes([11, 0, 9, 8]) + bytes([31, 0, 3, 0]) + bytes([41, 0, 5, 1])
    yield "chain-packed", b"\5\3" + bytes([0, 0, 40, 7]) + bytes([11, 0, 9, 8]) + bytes([31, 0, 3, 0]) + bytes([9, 0, 1, 9])
    yield "chain-header", b"\5\4" + bytes([0, 0, 40, 7]) + b"\xff" + struct.pack("<QI", 4 << 20, 1) + b"nested"
    yield "no-state", b"\3"
    yield "state-power", b"\3" + struct.pack("<HB", 0, 0)


def main(target, directory):
    seeds = {"balloon": balloon, "compare": compare, "enclave_image": enclave_image, "json": json,
             "model_trace": model_trace, "monitor": monitor, "snapshot": snapshot, "virtq": virtq}.get(target, lambda: ())
    pathlib.Path(directory, "zeros").write_bytes(bytes(1024))
    for name, text in seeds():
        with open(pathlib.Path(directory, name), "xb") as file:
            file.write(text)


main(*sys.argv[1:])
