"""Carry chains of an iCE40 netlist with a table in each of their cells.

nextpnr adds cells of its own to a chain: one for a carry that no table shares, one where a carry
comes from the wires, one where it goes out to them. Such a cell has no counterpart in the netlist,
so that no attribute BEL can pin it. Here they are made beforehand: `tabled` gives each SB_CARRY an
SB_LUT4 on the same inputs, which nextpnr packs with it into one cell. No further cells are needed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

_CARRY, _TABLE = "SB_CARRY", "SB_LUT4"
_PASS_I3 = "1111111100000000"
_EMPTY = "0" * 16
_DIRECTIONS = {"I0": "input", "I1": "input", "I2": "input", "I3": "input", "O": "output"}
_CARRY_DIRECTIONS = {"I0": "input", "I1": "input", "CI": "input", "CO": "output"}

Bit = int | str
Cells = dict[str, Any]


def tabled(cells: Mapping[str, Any]) -> Cells:
    """Return the cells of a module, each carry with its table; the logic stays the same."""
    return _Chains(cells).tabled()


class _Chains:
    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.cells: Cells = {name: _copied(cell) for name, cell in cells.items()}
        self.users: dict[Bit, list[tuple[str, str]]] = defaultdict(list)
        self.highest = 0
        for name, cell in self.cells.items():
            for port, bits in cell["connections"].items():
                for bit in bits:
                    self.highest = max(self.highest, bit if isinstance(bit, int) else 0)
                    self.users[bit].append((name, port))
        self.carries = [name for name, cell in cells.items() if cell["type"] == _CARRY]
        self.driver = {self._bit(name, "CO"): name for name in self.carries}
        self.table = {name: found for name in self.carries if (found := self._table_of(name))}
        self.after: dict[str, str] = {}
        for name in self.carries:
            if self._bit(name, "CI") in self.driver:
                self.after.setdefault(self.driver[self._bit(name, "CI")], name)

    def tabled(self) -> Cells:
        later = set(self.after.values())
        for name in self.carries:
            source = self._bit(name, "CI")
            if isinstance(source, int) and name not in later:
                self._feed_in(name, source)
        for name in self.carries:
            self._feed_out(name)
        for name in [n for n, cell in self.cells.items() if cell["type"] == _CARRY]:
            if name not in self.table:
                self._add_table(name)
        return self.cells

    def _bit(self, name: str, port: str) -> Bit:
        bits: list[Bit] = self.cells[name]["connections"].get(port) or ["0"]
        return bits[0]

    def _new(self) -> int:
        self.highest += 1
        return self.highest

    def _connect(self, name: str, port: str, bit: Bit) -> None:
        before = self._bit(name, port)
        if (name, port) in self.users[before]:
            self.users[before].remove((name, port))
        self.cells[name]["connections"][port] = [bit]
        self.users[bit].append((name, port))

    def _add(self, name: str, kind: str, **wires: Bit) -> None:
        directions = _DIRECTIONS if kind == _TABLE else _CARRY_DIRECTIONS
        self.cells[name] = {
            "hide_name": 0,
            "type": kind,
            "parameters": {},
            "attributes": {},
            "port_directions": directions,
            "connections": {},
        }
        for port in directions:
            self._connect(name, port, wires.get(port, "0"))

    def _table_of(self, name: str) -> str | None:
        """Return the table that has the inputs of a carry, if nextpnr will find just one."""
        fits = self._fitting(*(self._bit(name, port) for port in ("I0", "I1", "CI")))
        return fits[0] if len(fits) == 1 else None

    def _fitting(self, a: Bit, b: Bit, source: Bit) -> list[str]:
        wire, place = (b, "I2") if a == "0" else (a, "I1")
        return [
            cell
            for cell, port in self.users[wire]
            if port == place
            and wire != "0"
            and self.cells[cell]["type"] == _TABLE
            and (self._bit(cell, "I1"), self._bit(cell, "I2")) == (a, b)
            and (isinstance(source, str) or self._bit(cell, "I3") == source)
        ]

    def _feed_in(self, name: str, source: int) -> None:
        """Let a carry that comes from the wires begin in a cell of its own."""
        begin, bit = f"{name}$IN", self._new()
        self._add(begin, _CARRY, I0=source, CI="1", CO=bit)
        self._lead(bit, name)

    def _feed_out(self, name: str) -> None:
        """Let a carry that more than the chain reads leave it through a table."""
        bit, after = self._bit(name, "CO"), self.after.get(name)
        inside = {(name, "CO"), (after, "CI"), (self.table.get(after or ""), "I3")}
        outside = [user for user in self.users[bit] if user not in inside]
        if not outside or (after is None and self._is_end(outside)):
            return
        leave, wire = f"{name}$OUT", self._new()
        for user, port in outside:
            self._connect(user, port, wire)
        self._add(leave, _TABLE, I1="0" if after is None else "1", I3=bit, O=wire)
        self.cells[leave]["parameters"]["LUT_INIT"] = _PASS_I3
        if after is not None:
            further = self._new()
            self._add(f"{name}$ON", _CARRY, I0="1", CI=bit, CO=further)
            self.table[f"{name}$ON"] = leave
            self._lead(further, after)

    def _is_end(self, outside: list[tuple[str, str]]) -> bool:
        """Say whether a lone table above the chain reads the last carry."""
        (cell, port), *more = outside
        alone = cell not in self.table.values() and self.cells[cell]["type"] == _TABLE
        return not more and port == "I3" and alone

    def _lead(self, bit: int, name: str) -> None:
        self._connect(name, "CI", bit)
        if name in self.table:
            self._connect(self.table[name], "I3", bit)

    def _add_table(self, name: str) -> None:
        a, b, source = (self._bit(name, port) for port in ("I0", "I1", "CI"))
        if isinstance(source, str) and self._fitting(a, b, source):  # which one is not said
            a, b = b, a
            self._connect(name, "I0", a)
            self._connect(name, "I1", b)
        third = source if isinstance(source, int) else "0"
        self._add(f"{name}$TABLE", _TABLE, I1=a, I2=b, I3=third, O=self._new())
        self.cells[f"{name}$TABLE"]["parameters"]["LUT_INIT"] = _EMPTY


def _copied(cell: Mapping[str, Any]) -> dict[str, Any]:
    wires = {port: list(bits) for port, bits in cell["connections"].items()}
    return {**cell, "connections": wires, "attributes": dict(cell.get("attributes", {}))}
