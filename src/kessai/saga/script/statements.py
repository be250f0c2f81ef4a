"""The statements of a script, and which names are local variables where."""

from __future__ import annotations

from kessai.saga.script import tree
from kessai.saga.script.syntax import Expressions
from kessai.saga.script.tokens import Lexeme, Token, tokens
from kessai.saga.script.tree import Block, Node, Statement
from kessai.saga.script.words import EXCEPTIONS, REFUSED, RESERVED, TYPES


def parse(source: str) -> tuple[Block, int]:
    """The script and how many local variables it has. Raises `ScriptError`."""
    parser = _Statements(source, tokens(source))
    block = parser.block("")
    return block, parser.slots


class _Statements(Expressions):
    def __init__(self, source: str, found: tuple[Token, ...]) -> None:
        super().__init__(source, found)
        self._scopes: list[dict[str, tree.Variable]] = []
        self.slots = 0

    def variable(self, name: str) -> tree.Variable:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return tree.Variable(name, None)

    def block(self, closing: str) -> Block:
        """To `closing`, which is "" for the end of the script."""
        self.deeper()
        self._scopes.append({})
        statements: list[Statement] = []
        while not self._closes(closing):
            if self.take(";") or self.peek().lexeme is Lexeme.NEWLINE:
                self.skip_newlines()
                continue
            statements += self._statement()
            self._end(closing)
        self._scopes.pop()
        self._depth -= 1
        return Block(tuple(statements))

    def _closes(self, closing: str) -> bool:
        if closing:
            return bool(self.take(closing))
        return self.peek().lexeme is Lexeme.END

    def _end(self, closing: str) -> None:
        token = self.peek()
        if token.lexeme in (Lexeme.NEWLINE, Lexeme.END) or token.text in (";", closing):
            return
        self.refuse("unexpected")

    def _statement(self) -> list[Statement]:
        token = self.peek()
        if token.text == "{":
            self.refuse("closures and blocks of their own are not part of the subset")
        if token.lexeme is Lexeme.NAME:
            match token.text:
                case "if":
                    return [self._if()]
                case "return":
                    return [self._return()]
                case "throw":
                    return [self._throw()]
            if self._declares(token):
                return list(self._declarations())
        return [self.expression()]

    def _declares(self, token: Token) -> bool:
        if token.text == "final":
            return True
        return token.text in TYPES and self.peek(1).text not in (".", ")", "=")

    def _declarations(self) -> list[Node]:
        final = self.peek().text == "final"
        if final:
            self._at += 1
        type_name = self.peek().text
        if type_name in TYPES and self.peek(1).lexeme is Lexeme.NAME:
            self._at += 1
        elif not final:
            self._refuse_declaration()
        found = [self._declaration(type_name if type_name in TYPES[2:] else None)]
        while self.take(","):
            self.skip_newlines()
            found.append(self._declaration(type_name if type_name in TYPES[2:] else None))
        return found

    def _refuse_declaration(self) -> None:
        self._at += 1
        if self.peek().text == "(":
            self.refuse("several variables at once are not part of the subset")
        self.refuse("a name expected instead of")

    def _declaration(self, type_name: str | None) -> Node:
        token = self.peek()
        name = self.name()
        if name in RESERVED or name in TYPES:
            what = REFUSED.get(name, "this word")
            self.refuse(f"{what} cannot be the name of a variable", token)
        if self.peek().text == "(":
            self.refuse("methods are not part of the subset", token)
        if any(name in scope for scope in self._scopes):
            self.refuse(f"variable {name} is declared already", token)
        variable = tree.Variable(name, self.slots, type_name)
        self.slots += 1
        value: Node = tree.Literal(_unset(type_name))
        if self.take("="):
            self.skip_newlines()
            value = self.expression()
        # Only after its value: `def x = x` reads the binding.
        self._scopes[-1][name] = variable
        return tree.Assign(variable, "", value)

    def _if(self) -> tree.If:
        branches: list[tuple[Node, Block]] = []
        while True:
            self._at += 1
            self.require("(")
            condition = self.expression()
            self.require(")")
            branches.append((condition, self._branch()))
            if not self._else():
                return tree.If(tuple(branches), None)
            self.skip_newlines()
            if self.peek().text != "if":
                return tree.If(tuple(branches), self._branch())

    def _else(self) -> bool:
        """`else` may stand on the next line, or after a semicolon."""
        start = self._at
        self.take(";")
        self.skip_newlines()
        if self.peek().lexeme is Lexeme.NAME and self.peek().text == "else":
            self._at += 1
            return True
        self._at = start
        return False

    def _branch(self) -> Block:
        self.skip_newlines()
        if self.take("{"):
            return self.block("}")
        self.deeper()
        self._scopes.append({})
        statements = self._statement()
        self._scopes.pop()
        self._depth -= 1
        return Block(tuple(statements))

    def _return(self) -> tree.Return:
        self._at += 1
        token = self.peek()
        if token.lexeme in (Lexeme.NEWLINE, Lexeme.END) or token.text in (";", "}", "else"):
            return tree.Return(None)
        return tree.Return(self.expression())

    def _throw(self) -> tree.Throw:
        self._at += 1
        if self.peek().text != "new":
            self.refuse("throw needs new instead of")
        self._at += 1
        start = self.peek()
        name = self.qualified()
        if "." not in name and name not in EXCEPTIONS:
            self.refuse(f"class {name} is not known: write it with its package", start)
        self.require("(")
        arguments = self._items(")", "an argument")
        if len(arguments) > 1:
            self.refuse("an exception takes one text", start)
        return tree.Throw(EXCEPTIONS.get(name, name), arguments[0] if arguments else None)


def _unset(type_name: str | None) -> object:
    """What a variable without a value holds."""
    return {"int": 0, "long": 0, "double": 0, "float": 0, "boolean": False}.get(type_name or "")
