"""Damage to files: what disks, transfers and editors do, and what someone does who can repair a checksum."""

from __future__ import annotations

import hashlib
import io
import random
import re
import zipfile
import zlib

_TOKENS = [
    b"0", b"-1", b"1e300", b"1e999", b"99999999999", b"null", b"true", b'"x"', b'""', b"[]", b"{}", b"[[]]", b"0.5", b'"../x"',
    b'"float32"', b"NaN", b'"eval"', b'{"array":"a0"}', b'"\\ud800"',
]  # fmt: skip
_WORD = re.compile(rb'(?<=[:\[,])\s?(?:-?\d[\d.eE+-]*|null|true|false|\\"[^"\\]*\\"|"[^"\\]*")')


def mutated(data: bytes, rng: random.Random) -> bytes:
    """`data` with one thing wrong: bits, bytes, a block, a piece lost, doubled or moved, the end, a word of its text."""
    k, size = rng.randrange(len(data)), rng.randint(1, 40)
    kind = rng.randrange(9)
    if kind == 0:
        return data[:k] + bytes([data[k] ^ (1 << rng.randrange(8))]) + data[k + 1 :]
    if kind == 1:
        changed = bytearray(data)
        for _ in range(rng.randint(1, 5)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(changed)
    if kind == 2:
        return data[:k]
    if kind == 3:
        return data[:k] + data[k + size :]
    if kind == 4:
        return data[: k + size] + data[k:]
    if kind == 5:
        other = rng.randrange(len(data))
        return data[:k] + data[other : other + size] + data[k + size :]
    if kind == 6:
        return data[:k] + bytes(len(data[k : k + 512])) + data[k + 512 :]
    if kind == 7:
        return data + rng.randbytes(size)
    return with_other_word(data, rng)


def with_other_word(data: bytes, rng: random.Random) -> bytes:
    """`data` with another number, name or list in the place of one that is there."""
    words = list(_WORD.finditer(data))
    if not words:
        return data
    word, token = rng.choice(words), rng.choice(_TOKENS)
    if b'\\"' in word.group() and rng.random() < 0.9:
        token = token.replace(b'"', b'\\"')  # inside of a text that is itself JSON
    return data[: word.start()] + token + data[word.end() :]


def with_other_header(data: bytes, rng: random.Random) -> bytes:
    """A safetensors file with another word in its header, whose length is right."""
    length = int.from_bytes(data[:8], "little")
    head = data[8 : 8 + length]
    for _ in range(rng.randint(1, 2)):
        head = with_other_word(head, rng)
    return len(head).to_bytes(8, "little") + head + data[8 + length :]


def repaired_safetensors(data: bytes) -> bytes:
    """The file with the SHA-256 that fits what it holds now."""
    length = int.from_bytes(data[:8], "little")
    head = re.sub(rb'"sha256":"[^"]*"', b'"sha256":"' + b"0" * 64 + b'"', data[8 : 8 + length], count=1)
    digest = hashlib.sha256(data[:8] + head + data[8 + length :]).hexdigest().encode()
    return data[:8] + head.replace(b"0" * 64, digest, 1) + data[8 + length :]


def repaired_csv(data: bytes) -> bytes:
    """The text with the SHA-256 that fits what it holds now."""
    text = data.replace(b"\r\n", b"\n")
    found = re.search(rb"# sha256 = .*\n", text)
    if found is None:
        return data
    digest = hashlib.sha256(text[: found.start()] + text[found.end() :]).hexdigest().encode()
    return text[: found.start()] + b"# sha256 = " + digest + b"\n" + text[found.end() :]


def repaired_zip(data: bytes) -> bytes:
    """The archive with the CRC-32 of its members as they are now."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries, directory = archive.infolist(), archive.start_dir
    except Exception:  # whatever is wrong with it: it stays as it is
        return data
    for entry in entries:
        start = entry.header_offset + 30
        start += sum(int.from_bytes(data[entry.header_offset + k : entry.header_offset + k + 2], "little") for k in (26, 28))
        found = zlib.crc32(data[start : start + entry.file_size])
        data = data[:directory] + data[directory:].replace(entry.CRC.to_bytes(4, "little"), found.to_bytes(4, "little"), 1)
    return data
