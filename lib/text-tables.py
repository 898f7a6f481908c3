#!/usr/bin/python3
"""Makes lib/text-tables.h from the Unicode data of this Python.  Run by hand when Unicode has grown:
lib/text-tables.py >lib/text-tables.h"""
import unicodedata

# Vowels and finals of Hangul that join the consonant before.
JAMO = set(range(0x1161, 0x1200)) | set(range(0xd7b0, 0xd7fc))
# Where unassigned characters are wide as well (EastAsianWidth.txt, its header).
WIDE_BLOCKS = [(0x3400, 0x4dbf), (0x4e00, 0x9fff), (0xf900, 0xfaff), (0x20000, 0x2fffd), (0x30000, 0x3fffd)]


def mark(cp):
    return unicodedata.category(chr(cp)) in ("Mn", "Me") or cp in JAMO


def wide(cp):
    if mark(cp):
        return False
    if unicodedata.category(chr(cp)) == "Cn":
        return any(first <= cp <= last for first, last in WIDE_BLOCKS)
    return unicodedata.east_asian_width(chr(cp)) in ("W", "F")


def table(name, comment, holds):
    ranges = []
    for cp in range(0x80, 0x40000):
        if not holds(cp):
            continue
        if ranges and ranges[-1][1] == cp - 1:
            ranges[-1][1] = cp
        else:
            ranges.append([cp, cp])
    print(f"\n/* {comment} */\nstatic const struct range {name}[] = {{")
    for i in range(0, len(ranges), 4):
        print("\t" + " ".join("{ 0x%04x, 0x%04x }," % tuple(r) for r in ranges[i:i + 4]))
    print("};")


print(f"/* Made by lib/text-tables.py from the data of Unicode {unicodedata.unidata_version}.  Ascending, without overlap. */")
print("#pragma once\n#include <stdint.h>\n\nstruct range {\n\tuint32_t first, last;\n};")
table("combining", "Marks that stand on the character before (Mn, Me), and the Hangul that joins it.", mark)
table("wide", "Two columns: East_Asian_Width W and F.", wide)
