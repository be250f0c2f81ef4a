"""Java's regular expressions for `matches`, run without backtracking: no pattern can run away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from kessai.saga.expression.pattern_syntax import (
    Border,
    Char,
    Chars,
    Choice,
    Part,
    Repeat,
    Series,
    read,
)
from kessai.saga.expression.scope import ExpressionError

MAX_STATES = 2_000
MAX_STEPS = 500_000


class Pattern:
    """Raises `ExpressionError` for what Java refuses and what would need backtracking."""

    def __init__(self, source: str) -> None:
        self._states = _Program(read(source)).states

    def matches(self, text: str) -> bool:
        """The whole text, as in Java."""
        states = self._states
        current = self._reached([0], text, 0)
        steps = 0
        for at, char in enumerate(text):
            steps += 1 + len(current)
            if steps > MAX_STEPS:
                raise ExpressionError(f"a match takes more than {MAX_STEPS} steps")
            onward = []
            for number in current:
                state = states[number]
                if isinstance(state, _Eat) and state.chars.has(char):
                    onward.append(state.next)
            current = self._reached(onward, text, at + 1)
            if not current:
                return False
        return any(isinstance(states[number], _Accept) for number in current)

    def _reached(self, start: list[int], text: str, at: int) -> dict[int, None]:
        """All states that are reached from here without a character."""
        found: dict[int, None] = {}
        pending = start
        while pending:
            number = pending.pop()
            if number in found:
                continue
            found[number] = None
            state = self._states[number]
            if isinstance(state, _Fork):
                pending.extend(state.next)
            elif isinstance(state, _Check) and state.holds(text, at):
                pending.append(state.next)
        return found


@dataclass(frozen=True, slots=True)
class _Eat:
    chars: Chars
    next: int


@dataclass(frozen=True, slots=True)
class _Check:
    holds: Callable[[str, int], bool]
    next: int


@dataclass(frozen=True, slots=True)
class _Fork:
    next: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Accept:
    pass


_State: TypeAlias = _Eat | _Check | _Fork | _Accept


class _Program:
    """The states of the automaton; the first one is where a match starts."""

    def __init__(self, part: Part) -> None:
        self.states: list[_State] = [_Accept()]
        self.states[0] = self._built(part)

    def _built(self, part: Part) -> _State:
        end = self._add(_Accept())
        return _Fork((self._before(part, end),))

    def _before(self, part: Part, after: int) -> int:
        match part:
            case Char(chars):
                return self._add(_Eat(chars, after))
            case Border(holds):
                return self._add(_Check(holds, after))
            case Series(parts):
                for one in reversed(parts):
                    after = self._before(one, after)
                return after
            case Choice(parts):
                return self._add(_Fork(tuple(self._before(one, after) for one in parts)))
            case Repeat(inner, least, most):
                return self._repeated(inner, least, most, after)

    def _repeated(self, part: Part, least: int, most: int | None, after: int) -> int:
        if most is None:
            loop = self._add(_Fork(()))
            self.states[loop] = _Fork((self._before(part, loop), after))
            after = loop
        else:
            for _ in range(most - least):
                after = self._add(_Fork((self._before(part, after), after)))
        for _ in range(least):
            before = self._before(part, after)
            if before == after:
                break
            after = before
        return after

    def _add(self, state: _State) -> int:
        if len(self.states) >= MAX_STATES:
            raise ExpressionError(f"a pattern has at most {MAX_STATES} states")
        self.states.append(state)
        return len(self.states) - 1
