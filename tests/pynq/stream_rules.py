"""Valid/ready streams on pins: sends and takes with random pauses, by the rules."""

from __future__ import annotations

import random
from collections import deque


class Sender:
    """Offers items on `name`_valid and keeps each until it is taken."""

    def __init__(self, name: str, fields: tuple[str, ...], rng: random.Random, rate: float) -> None:
        self.queue: deque[tuple[int, ...]] = deque()
        self._name, self._fields, self._rng, self.rate = name, fields, rng, rate
        self._offering = False

    def drive(self) -> dict[str, int]:
        """Return the inputs of this clock."""
        self._offering = self._offering or (bool(self.queue) and self._rng.random() < self.rate)
        pins = {f"{self._name}valid": int(self._offering)}
        item = self.queue[0] if self._offering else (self._rng.getrandbits(1),) * len(self._fields)
        pins.update({f"{self._name}{f}": v for f, v in zip(self._fields, item, strict=True)})
        return pins

    def see(self, outputs: dict[str, int]) -> None:
        """Take notice of this clock's outputs."""
        if self._offering and outputs[f"{self._name}ready"]:
            self.queue.popleft()
            self._offering = False

    def reset(self) -> None:
        """Forget what has not been taken."""
        self.queue.clear()
        self._offering = False


class Taker:
    """Takes items from `name`_valid with random readiness; what is valid has to stay."""

    def __init__(self, name: str, fields: tuple[str, ...], rng: random.Random, rate: float) -> None:
        self.taken: list[tuple[int, ...]] = []
        self._name, self._fields, self._rng, self.rate = name, fields, rng, rate
        self._held: tuple[int, ...] | None = None
        self._ready = 0

    def drive(self) -> dict[str, int]:
        """Return the inputs of this clock."""
        self._ready = int(self._rng.random() < self.rate)
        return {f"{self._name}ready": self._ready}

    def see(self, outputs: dict[str, int]) -> None:
        """Take what is valid; AssertionError where it changed or went away untaken."""
        item = tuple(outputs[f"{self._name}{f}"] for f in self._fields)
        valid = outputs[f"{self._name}valid"]
        if self._held is not None:
            assert valid, f"{self._name}valid was taken back"
            assert item == self._held, f"{self._name} changed from {self._held} to {item}"
        self._held = item if valid and not self._ready else None
        if valid and self._ready:
            self.taken.append(item)

    def reset(self) -> None:
        """Forget what was taken."""
        self.taken.clear()
        self._held = None
