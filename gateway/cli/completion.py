"""`tidegate completion`: a script for the shell, made from the command line's own parser."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.cli import main

HELP = "Print a completion script for a shell."
EXAMPLES = """\
tidegate completion bash > ~/.local/share/bash-completion/completions/tidegate
tidegate completion zsh > ~/.zfunc/_tidegate           # where ~/.zfunc is in fpath
tidegate completion fish > ~/.config/fish/completions/tidegate.fish"""

DRIVERS = "$(tidegate drivers --names 2>/dev/null)"
"""Expanded by the shell, where a verb takes a driver's name."""


@dataclass(frozen=True, slots=True)
class Verb:
    """What may follow a verb beside file names. words: its options, and an argument's choices."""

    name: str
    help: str
    words: tuple[str, ...]
    takes_driver: bool

    def candidates(self) -> str:
        return " ".join([*self.words, DRIVERS] if self.takes_driver else self.words)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=sorted(_SCRIPTS))


def run(args: argparse.Namespace) -> int:
    print(_SCRIPTS[args.shell](list(verbs(main.make_parser(list(main.VERBS))))), end="")
    return 0


def verbs(parser: argparse.ArgumentParser) -> Iterator[Verb]:
    """The verbs of a parser."""
    actions = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    for action in actions:
        for name, verb_parser in action.choices.items():
            yield _verb(name, (verb_parser.description or "").partition("\n")[0], verb_parser)


def _verb(name: str, help: str, parser: argparse.ArgumentParser) -> Verb:
    words: list[str] = []
    for action in parser._actions:
        words += action.option_strings or [str(choice) for choice in action.choices or ()]
    takes_driver = any(action.dest == "driver" for action in parser._actions)
    return Verb(name, help, tuple(words), takes_driver)


def _bash(verbs: Sequence[Verb]) -> str:
    cases = "\n".join(f'        {verb.name}) words="{verb.candidates()}" ;;' for verb in verbs)
    return f"""\
# tidegate's completion for bash; made by `tidegate completion bash`.
_tidegate() {{
    local words="{_listed(verbs)}"
    if [ "$COMP_CWORD" -gt 1 ]; then
        case "${{COMP_WORDS[1]}}" in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _tidegate tidegate
"""


def _zsh(verbs: Sequence[Verb]) -> str:
    described = "\n".join(f"        '{verb.name}:{_quoted(verb.help)}'" for verb in verbs)
    cases = "\n".join(f"    {verb.name}) compadd -- {verb.candidates()} ;;" for verb in verbs)
    return f"""\
#compdef tidegate
# tidegate's completion for zsh; made by `tidegate completion zsh`.
if (( CURRENT == 2 )); then
    local -a verbs=(
{described}
    )
    _describe verb verbs
else
    case "$words[2]" in
{cases}
    esac
    _files
fi
"""


def _fish(verbs: Sequence[Verb]) -> str:
    rows = ["# tidegate's completion for fish; made by `tidegate completion fish`."]
    for verb in verbs:
        on_verb = f"-n '__fish_seen_subcommand_from {verb.name}'"
        rows.append(
            f"complete -c tidegate -f -n __fish_use_subcommand -a {verb.name} "
            f"-d '{_quoted(verb.help)}'"
        )
        # fish expands (...) in quotes when it completes.
        words = verb.candidates().replace(DRIVERS, "(tidegate drivers --names 2>/dev/null)")
        rows.append(f"complete -c tidegate {on_verb} -a '{words}'")
    return "\n".join(rows) + "\n"


def _listed(verbs: Sequence[Verb]) -> str:
    return " ".join(["--help", "--version", *(verb.name for verb in verbs)])


def _quoted(text: str) -> str:
    return text.replace("'", "’").replace(":", "\\:")


_SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
