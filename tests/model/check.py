#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Explores every state of the models with spin, and shows that they fail with each seeded bug. TAP on stdout.

usage: check.py [CC]      (default cc; temporary files only)
"""
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MODELS = Path(__file__).resolve().parent
SAFE = ['-DNO_KICK']  # for assertions
ENDS = ['-DNO_TLB', '-DCLAIM'] # for the claim
SPLIT, KEEP_OUT = 'split.pml', 'keep_out.pml'

# What it shows, the model, switches. All of these hold.
HOLDS = [
    ('two reclaims, 3 vCPUs: assertions', SPLIT, SAFE),
    ('two reclaims, 3 vCPUs: each ends', SPLIT, ENDS),
    ('reclaim and collapse, 3 vCPUs: assertions', SPLIT, SAFE + ['-DCOLLAPSE']),
    ('reclaim and collapse, 3 vCPUs: each ends', SPLIT, ENDS + ['-DCOLLAPSE']),
    ('two reclaims without a lock, 2 vCPUs: assertions', SPLIT, SAFE + ['-DNO_LOCK', '-DVCPUS=2']),
    ('two reclaims without a lock, 2 vCPUs: each ends', SPLIT, ENDS + ['-DNO_LOCK', '-DVCPUS=2']),
    ('vCPUs kept out, 3 vCPUs: assertions', KEEP_OUT, []),
    ('vCPUs kept out, 2 vCPUs: all get on', KEEP_OUT, ['-DCLAIM', '-DVCPUS=2']), # with 3 there is nothing new in 45 s
]
# The bug, the model, its switch, the scenario's, and a part of what spin must say: which property it breaks. None of
# these holds; two vCPUs are enough to see it.
FREED, TABLE, UNREACHABLE, LOST, ENDLESS = 'freed[', 'allocated[', '!=(3-1)', 'written[', 'acceptance cycle'
INSIDE, GONE = 'in_guest[', 'gone=='
SEEDED = [
    ('free before the last acknowledgement', SPLIT, 'FREE_BEFORE_LAST_ACK', SAFE, FREED),
    ('publish before fill', SPLIT, 'PUBLISH_BEFORE_FILL', SAFE, UNREACHABLE),
    ('publish without comparing', SPLIT, 'PUBLISH_WITHOUT_COMPARE', SAFE, LOST),
    ('remove without exchange', SPLIT, 'REMOVE_WITHOUT_EXCHANGE', SAFE, LOST),
    ('a vCPU looks before it says that it enters', SPLIT, 'LOOK_BEFORE_ENTER', SAFE, FREED),
    ('no kick', SPLIT, 'NO_KICK', ENDS, ENDLESS),
    ('collapse: table freed before the flush', SPLIT, 'FREE_TABLE_BEFORE_FLUSH', SAFE + ['-DCOLLAPSE'], TABLE),
    ('collapse: no harvest', SPLIT, 'NO_HARVEST', SAFE + ['-DCOLLAPSE'], LOST),
    ('collapse without a lock', SPLIT, 'NO_LOCK', SAFE + ['-DCOLLAPSE'], FREED),
    ('kept_out is looked at before in_run is set', KEEP_OUT, 'LOOK_BEFORE_ENTER', [], INSIDE),
    ('the generation goes up before vCPUs are kept out', KEEP_OUT, 'GENERATION_BEFORE_KEPT_OUT', [], INSIDE),
    ('withdrawn before the acknowledgements', KEEP_OUT, 'WITHDRAW_BEFORE_ACKS', [], INSIDE),
    ('helpers begin before the acknowledgements', KEEP_OUT, 'HELP_AT_ONCE', [], INSIDE),
    ('let in while a helper is at it', KEEP_OUT, 'LET_IN_BEFORE_HELPERS', [], GONE),
    ('no kick', KEEP_OUT, 'NO_KICK', ['-DCLAIM'], ENDLESS),
    ('kept out for good', KEEP_OUT, 'STAYS_KEPT_OUT', ['-DCLAIM'], ENDLESS),
]


def explore(cc, model, switches):
    """(states, what was found or ''); raises when spin, the compiler or the search itself fails."""
    claim = '-DCLAIM' in switches
    search = ['-DNFAIR=3'] if claim else ['-DSAFETY', '-DNOCLAIM']
    with tempfile.TemporaryDirectory() as folder:
        def run(*command):
            return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=240, check=True).stdout

        run('spin', *switches, '-a', str(MODELS / model))
        few = '-DVCPUS=2' in switches # less to run than to compile
        run(*cc, '-w', '-O0' if few else '-O2', '-DMEMLIM=2000', *search, '-o', 'pan', 'pan.c')
        said = run('./pan', '-m200000', *(['-a', '-f'] if claim else []))
    found = re.search(r'^pan:\d+: (.*)', said, re.M)
    errors = re.search(r'errors: (\d+)', said)
    states = re.search(r'(\d+) states, stored', said)
    if not errors or not states or (errors[1] == '0') == bool(found) or not found and 'not completed' in said:
        raise RuntimeError(said)
    return int(states[1]), found[1] if found else ''


def judge(cc, name, model, switches, wanted):
    """Whether it is as it should be, and a line on it. `wanted`: a part of what is to be found; None: nothing is."""
    try:
        states, found = explore(cc, model, switches)
    except (RuntimeError, subprocess.SubprocessError) as error:
        return False, f'{name}: {error} {getattr(error, "stdout", "") or ""}'.replace('\n', '\n# ')
    line = f'{name}: {states} states' + (f', {found}' if found else '')
    return (wanted in found if wanted else not found), line


def main():
    cc = sys.argv[1:] or ['cc']
    cases = [(*held, None) for held in HOLDS]
    for bug, model, switch, others, says in SEEDED:
        cases.append((f'seeded bug: {bug}', model, [f'-D{switch}', '-DVCPUS=2', *others], says))
    if not shutil.which('spin'):
        print('1..0 # SKIP no spin (Debian package spin)')
        return 0
    print(f'1..{len(cases)}', flush=True)
    good = True
    with ThreadPoolExecutor(2) as pool:
        for n, (ok, line) in enumerate(pool.map(lambda case: judge(cc, *case), cases), 1):
            print(f'{"ok" if ok else "not ok"} {n} - {line}', flush=True)
            good = good and ok
    return 0 if good else 1


sys.exit(main())
