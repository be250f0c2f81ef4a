"""Finding products and completing what is being typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kessai.contracts.search import (
    FoundProduct,
    SearchPage,
    SearchProducts,
    Suggest,
    Suggestions,
)
from kessai.search.application.ports import NOTHING, Hit, Hits, ProductIndex
from kessai.search.application.wordlist import WordList
from kessai.search.domain.document import Shown, products
from kessai.search.domain.folding import fold, runs
from kessai.search.domain.highlight import Marker
from kessai.search.domain.planner import PREFERRED, Clause, Plan, Planner, fuzzy, words_of
from kessai.search.domain.wanted import Filters, Request, Wanted, all_of, any_of

# Of what is typed so far, so many completions of its last word are tried together with the rest.
_TRIED = 4


class Searching:
    def __init__(self, index: ProductIndex, planner: Planner, words: WordList) -> None:
        self._index = index
        self._planner = planner
        self._words = words

    async def search(self, command: SearchProducts) -> SearchPage:
        """As typed; else as it was probably meant, which is said; else whatever has some of it."""
        request = Request(
            wanted=None,
            preferred=PREFERRED,
            filters=Filters(
                command.min_price, command.max_price, command.category_ids, command.in_stock
            ),
            sort=command.sort,
            offset=command.page * command.size,
            limit=command.size,
        )
        plan = self._planner.plan(command.q)
        if plan is None:
            # Signs alone are no question; nothing typed is the whole shop.
            typed = bool(command.q.strip())
            return _page(command, None if typed else await self._index.search(request))
        hits = await self._index.search(replace(request, wanted=plan.strict))
        meant = None
        if not hits.total and not await self._is_there(plan.strict, request):
            hits, meant = await self._otherwise(command.q, plan, request)
        return _page(command, hits, meant)

    async def _is_there(self, wanted: Wanted, request: Request) -> bool:
        """Something is found, and the filters leave nothing of it: then the words were right."""
        if request.filters == Filters():
            return False
        return bool((await self._count(wanted)).total)

    async def _count(self, wanted: Wanted) -> Hits:
        return await self._index.search(Request(wanted, limit=0, facets=False))

    async def _otherwise(self, query: str, plan: Plan, request: Request) -> tuple[Hits, str | None]:
        lost = [c for c in plan.clauses if not (await self._count(c.wanted)).total]
        meant = await self._corrected(query, lost)
        if meant is not None:
            corrected = self._planner.plan(meant)
            if corrected is not None:
                hits = await self._index.search(replace(request, wanted=corrected.strict))
                if hits.total:
                    return hits, meant
                plan = corrected
        elif 0 < len(lost) < len(plan.clauses):
            # What nobody has is left out; all that is left must still be there.
            plan = Plan(tuple(clause for clause in plan.clauses if clause not in lost))
        nearly = all_of([_nearly(clause) for clause in plan.clauses])
        hits = await self._index.search(replace(request, wanted=nearly))
        if not hits.total:
            hits = await self._index.search(replace(request, wanted=plan.relaxed))
        return hits, meant if hits.total else None

    async def _corrected(self, query: str, lost: Sequence[Clause]) -> str | None:
        """The query with the words that nothing has replaced by words that the shop has."""
        lexicon = await self._words.lexicon()
        text, changed = fold(query), False
        for clause in lost:
            meant = lexicon.meant(clause.text)
            if meant is not None and clause.text in text:
                text, changed = text.replace(clause.text, meant, 1), True
        return " ".join(text.split()) if changed else None

    async def suggest(self, command: Suggest) -> Suggestions:
        plan = self._planner.typing(command.q)
        if plan is None:
            return Suggestions(suggestions=(), products=())
        lexicon = await self._words.lexicon()
        request = Request(plan.strict, PREFERRED, limit=command.size, facets=False)
        hits = await self._index.search(request)
        found = _marked(hits.items, command.q)
        *before, last = words_of(command.q)
        completed = lexicon.complete(last, command.size if not before else _TRIED)
        if before:
            typed = " ".join(command.q.split()[:-1])
            completed = await self._that_are_there(typed, completed, found, hits.total)
        texts: dict[str, str] = {}
        for text in (*completed, *_names(found, command.q)):
            texts.setdefault(fold(text), text)
        return Suggestions(
            suggestions=tuple(texts.values())[: command.size],
            products=found,
        )

    async def _that_are_there(
        self, before: str, last: Sequence[str], shown: Sequence[FoundProduct], total: int
    ) -> list[str]:
        """Only what the shop has together is worth completing.

        What is shown has all of it; where more was found, the index is asked for the others.
        """
        names = [fold(name) for product in shown for name in _names_of(product)]
        found = []
        for word in last:
            whole = f"{before} {word}"
            if _is_in(names, fold(word)) or (len(shown) < total and await self._is_found(whole)):
                found.append(whole)
        return found

    async def _is_found(self, query: str) -> bool:
        plan = self._planner.plan(query)
        return plan is not None and (await self._count(plan.strict)).total > 0


def _marked(hits: Iterable[Hit], query: str) -> tuple[FoundProduct, ...]:
    marker = Marker(query)
    return products([_with_highlight(Shown.read(hit.shown), marker) for hit in hits])


def _with_highlight(shown: Shown, marker: Marker) -> Shown:
    html = marker.html(shown.title, shown.words())
    return shown if html is None else shown.with_highlight(html)


def _names(shown: Sequence[FoundProduct], typed: str) -> list[str]:
    """Names that contain what is typed, in the language in which it is; those that begin so first.

    They are whole products, and come after the words that many have.
    """
    start = " ".join(fold(typed).split())
    found: list[tuple[bool, str]] = []
    for product in shown:
        matching = [name for name in _names_of(product) if start in fold(name)]
        # Letters that two languages share are folded alike; as it was typed it is in one of them.
        matching.sort(key=lambda name: typed.strip() not in name)
        found += [(not fold(name).startswith(start), name) for name in matching[:1]]
    return [name for _, name in sorted(found, key=lambda one: one[0])]


def _names_of(product: FoundProduct) -> list[str]:
    return [n for n in (product.title, product.titles.en, product.titles.zh) if n]


def _is_in(names: Sequence[str], word: str) -> bool:
    """Folded, both; of Latin letters the whole word."""
    if not word.isascii():
        return any(word in name for name in names)
    return any(run.text == word for name in names if word in name for run in runs(name))


def _nearly(clause: Clause) -> Wanted:
    near = fuzzy(clause)
    return clause.wanted if near is None else any_of([clause.wanted, near])


def _page(command: SearchProducts, hits: Hits | None, meant: str | None = None) -> SearchPage:
    return SearchPage(
        items=_marked(hits.items, meant or command.q) if hits else (),
        total=hits.total if hits else 0,
        page=command.page,
        size=command.size,
        did_you_mean=meant,
        facets=(hits.facets if hits else None) or NOTHING,
    )
