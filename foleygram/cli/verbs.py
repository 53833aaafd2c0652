"""Verbs as the parser of options knows them, with what typer lacks."""

from __future__ import annotations

import typer
from typer.core import TyperCommand


class Verb(TyperCommand):
    """Refuses an option that is given twice where only the last one would count."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            single = option.param_type_name == "option" and not (option.multiple or option.is_flag)
            if single and given.count(option) > 1:
                ctx.fail(f"{max(option.opts, key=len)} is given twice; it takes one value, so give one")
        return super().parse_args(ctx, args)


class Verbs(typer.Typer):
    """A group of verbs."""

    def command(self, name: str | None = None, **settings):
        return super().command(name, cls=Verb, **settings)
