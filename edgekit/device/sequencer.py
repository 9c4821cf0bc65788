"""Assembles fpga/rtl/ek_link_*.asm, the program of the FPGA's link, into ek_link_program.v.

`python -m edgekit.device.sequencer FPGA/RTL/FOLDER` after a change of the program or of layout.py;
a test compares the two. The processor is fpga/rtl/ek_sequencer.v.

A line is `[label:] [instruction] [; comment]`. Values are sums and differences of numbers, names of
`NAME = value` lines, labels, and the codes of layout.py (CMD_, ERR_, TYPE_, ... as in ek_layout.h).
Operands of `ld add adc sub sbc xor and st`: an address below 1,024, `#value`, `p+` or `q+` (the
byte the pointer is at, which then moves on). `jmp jz jnz jc jnc call` take a label, `setp setq` an
address, `in out` a port; `ret` and `wait` nothing. C is 1 after `sub` and `sbc` where nothing was
borrowed. Instructions on N bytes that expand into these:

    copy D S N     D = S            zero D N      D = 0
    plus D S N     D += S           inc D N       D += 1
    minus D S N    D -= S           dec D N       D -= 1
    test A B N     C = A >= B
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.device import c_header
from edgekit.errors import ConfigError

WORDS = 2048
_WORDS_PER_LINE = 8
_ALU = ("ld", "add", "adc", "sub", "sbc", "xor", "and", "st")
_JUMPS = {"jmp": 8, "jz": 9, "jnz": 10, "jc": 11, "jnc": 12, "call": 13}
_POINTERS = {"setp": 0xE000, "setq": 0xE800}
_PORTS = {"in": 0xF400, "out": 0xF200}
_PLAIN = {"ret": 0xF800, "wait": 0xF100}
_TOKEN = re.compile(r"\s*([+-]?)\s*(\w+)")


@dataclass(frozen=True, slots=True)
class Word:
    """One instruction: its source line, and where it came from."""

    source: str
    place: str
    instruction: str
    operand: str


def _expand(name: str, operands: list[str]) -> list[tuple[str, str]] | None:
    """Return the instructions that an instruction on several bytes stands for."""
    if name not in ("copy", "zero", "plus", "inc", "minus", "dec", "test"):
        return None
    to, count = operands[0], int(operands[-1])
    source = operands[1] if len(operands) == 3 else ""
    out: list[tuple[str, str]] = [("ld", "#0")] if name == "zero" else []
    for i in range(count):
        here, there = f"{to}+{i}", f"{source}+{i}"
        first = i == 0
        match name:
            case "copy":
                out += [("ld", there), ("st", here)]
            case "zero":
                out += [("st", here)]
            case "plus":
                out += [("ld", here), ("add" if first else "adc", there), ("st", here)]
            case "inc":
                out += [("ld", here), ("add" if first else "adc", f"#{int(first)}"), ("st", here)]
            case "minus":
                out += [("ld", here), ("sub" if first else "sbc", there), ("st", here)]
            case "dec":
                out += [("ld", here), ("sub" if first else "sbc", f"#{int(first)}"), ("st", here)]
            case _:
                out += [("ld", here), ("sub" if first else "sbc", there)]
    return out


class _Program:
    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.words: list[Word] = []

    def read(self, text: str, name: str) -> None:
        for number, raw in enumerate(text.splitlines(), 1):
            place = f"{name}, line {number}"
            code = raw.split(";")[0].strip()
            constant = re.fullmatch(r"(\w+)\s*=\s*(.+)", code)
            if constant:
                self.names[constant[1]] = self.value(constant[2], place)
                continue
            label = re.match(r"(\w+):\s*", code)
            if label:
                if label[1] in self.names:
                    raise _error(place, f"{label[1]} is there twice")
                self.names[label[1]] = len(self.words)
                code = code[label.end() :]
            if code:
                self._instruction(code, place)

    def _instruction(self, code: str, place: str) -> None:
        name, *operands = code.split()
        pieces = _expand(name, operands)
        for instruction, operand in pieces or [(name, " ".join(operands))]:
            self.words.append(Word(code, place, instruction, operand))

    def value(self, text: str, place: str) -> int:
        total, at = 0, 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if token is None:
                raise _error(place, f"{text!r} is no value")
            word = token[2]
            if not word[0].isdigit() and word not in self.names:
                raise _error(place, f"{word} is not known")
            found = int(word, 0) if word[0].isdigit() else self.names[word]
            total += -found if token[1] == "-" else found
            at = token.end()
        return total

    def encode(self, word: Word) -> int:
        name, operand, place = word.instruction, word.operand, word.place
        if name in _ALU:
            return _ALU.index(name) << 12 | self._operand(operand, place)
        if name in _JUMPS:
            return _JUMPS[name] << 12 | self._within(operand, WORDS, place)
        if name in _POINTERS:
            return _POINTERS[name] | self._within(operand, 2048, place)
        if name in _PORTS:
            return _PORTS[name] | self._within(operand, 32, place)
        if name in _PLAIN and not operand:
            return _PLAIN[name]
        raise _error(place, f"{word.source!r} is no instruction")

    def _operand(self, operand: str, place: str) -> int:
        if operand in ("p+", "q+"):
            return 0x800 if operand == "p+" else 0xC00
        if operand.startswith("#"):
            return 0x400 | (self.value(operand[1:], place) & 0xFF)
        return self._within(operand, 1024, place)

    def _within(self, operand: str, limit: int, place: str) -> int:
        value = self.value(operand, place)
        if not 0 <= value < limit:
            raise _error(place, f"{operand} is {value}, which has to be below {limit}")
        return value


def _error(place: str, what: str) -> ConfigError:
    return ConfigError(f"the link's program, {place}: {what}")


def assemble(texts: Mapping[str, str]) -> list[tuple[int, Word]]:
    """Return the words of the program `texts` (name -> text, joined in their order).

    Each comes with the instruction it is. Raises ConfigError, which names the line, for what is no
    program or does not fit.
    """
    program = _Program()
    program.names.update(c_header.numbers())
    for name, text in texts.items():
        program.read(text, name)
    if len(program.words) > WORDS:
        raise ConfigError(f"the link's program has {len(program.words)} words, {WORDS} fit")
    return [(program.encode(word), word) for word in program.words]


def sources(folder: Path) -> dict[str, str]:
    """Return the program's files in `folder` (fpga/rtl), by name and in their order."""
    return {path.name: path.read_text() for path in sorted(folder.glob("ek_link_*.asm"))}


def render(texts: Mapping[str, str]) -> str:
    """Return ek_link_program.v for the program `texts`."""
    codes = [code for code, _ in assemble(texts)]
    lines = [
        "// The program of the link's processor, written from fpga/rtl/ek_link_*.asm by",
        "// edgekit/device/sequencer.py: edit those. Timing: one clock. Cost: 8 EBR.",
        "`default_nettype none",
        "",
        "module ek_link_program (",
        "    input  wire        clk,",
        "    input  wire        read,",
        "    input  wire [10:0] addr,",
        "    output reg  [15:0] data",
        ");",
        f"    reg [15:0] words [0:{WORDS - 1}];",
        "    integer i;",
        "    initial begin",
        f"        for (i = 0; i < {WORDS}; i = i + 1) words[i] = 16'h0000;",
    ]
    for at in range(0, len(codes), _WORDS_PER_LINE):
        row = [
            f"words[{at + i}] = 16'h{code:04X};"
            for i, code in enumerate(codes[at:][:_WORDS_PER_LINE])
        ]
        lines.append("        " + " ".join(row))
    lines += [
        "    end",
        "    always @(posedge clk) if (read) data <= words[addr];",
        "endmodule",
        "`default_nettype wire",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "ek_link_program.v").write_text(render(sources(folder)))
