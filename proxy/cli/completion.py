"""`lockgate completion bash|zsh|fish`: a script by which a shell completes the words of a command.

    eval "$(lockgate completion bash)"               in ~/.bashrc
    eval "$(lockgate completion zsh)"                in ~/.zshrc, after compinit
    lockgate completion fish | source                in ~/.config/fish/config.fish

The script is made from the parsers themselves, and holds all words: pressing Tab starts no Python.
In zsh it is the script for bash, which zsh's own `bashcompinit` runs.
"""

import argparse
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from proxy.cli import parser
from proxy.cli.wording import texts

_BASH = """\
# Completes lockgate; made by `lockgate completion bash`.
_lockgate() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=lockgate i
    local options= words= values=
    for ((i = 1; i < COMP_CWORD; i++)); do
        case "$path ${COMP_WORDS[i]}" in
            %(paths)s) path="$path ${COMP_WORDS[i]}" ;;
        esac
    done
    case "$path" in
%(nodes)s
    esac
    COMPREPLY=()
    case "$path $prev" in
%(values)s
    esac
    case "$cur" in
        -*) COMPREPLY=($(compgen -W "$options" -- "$cur")) ;;
        *)
            if [[ -n $words ]]; then
                COMPREPLY=($(compgen -W "$words" -- "$cur"))
            else
                _lockgate_files "$cur"
            fi
            ;;
    esac
}
_lockgate_files() {
    compopt -o filenames 2>/dev/null
    local IFS=$'\\n'
    COMPREPLY=($(compgen -f -- "$1"))
}
complete -F _lockgate lockgate
"""
_ZSH = "autoload -U +X bashcompinit && bashcompinit\n"


@dataclass(frozen=True, slots=True)
class _Option:
    names: tuple[str, ...]
    takes: str
    """`nothing`, `file`, `text`, or the words of which it takes one."""
    help: str


@dataclass(frozen=True, slots=True)
class _Command:
    path: str
    """With all that stands before it: `lockgate receipts verify`."""
    help: str
    options: tuple[_Option, ...]
    words: tuple[str, ...]
    """One of these comes next; none: a file does."""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    added = commands.add_parser(
        "completion",
        help="a script that completes commands in a shell",
        **texts(
            "Write a script that makes a shell complete the commands, options and files of "
            'lockgate. bash and zsh load it with eval "$(lockgate completion bash)" in their rc '
            "file (zsh after compinit), fish with `lockgate completion fish | source`.",
            "lockgate completion bash",
        ),
    )
    added.add_argument("shell", choices=("bash", "zsh", "fish"))
    added.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the script on standard output."""
    known = list(_commands(parser(), ""))
    if arguments.shell == "fish":
        print("\n".join(_fish(known)))
    else:
        print((_ZSH if arguments.shell == "zsh" else "") + _bash(known), end="")
    return 0


def _commands(each: argparse.ArgumentParser, told: str) -> Iterator[_Command]:
    """A command and all that are below it."""
    options, words, below = [], [], []
    for action in each._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            words += list(action.choices)
            below += [(sub, helps.get(name, "")) for name, sub in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        elif action.choices:
            words += [str(choice) for choice in action.choices]
    yield _Command(each.prog, told, tuple(options), tuple(words))
    for sub, help_text in below:
        yield from _commands(sub, help_text)


def _option(action: argparse.Action) -> _Option:
    takes = "text"
    if action.nargs == 0:
        takes = "nothing"
    elif action.choices:
        takes = " ".join(str(choice) for choice in action.choices)
    elif action.type is Path:
        takes = "file"
    return _Option(tuple(action.option_strings), takes, action.help or "")


def _bash(known: list[_Command]) -> str:
    paths = "|".join(shlex.quote(each.path) for each in known if " " in each.path)
    nodes, values = [], []
    for each in known:
        names = " ".join(name for option in each.options for name in option.names)
        words = " ".join(each.words)
        where = shlex.quote(each.path)
        nodes.append(f"        {where}) options={shlex.quote(names)} words={shlex.quote(words)} ;;")
        for option in each.options:
            if option.takes != "nothing":
                values.append(_bash_value(each.path, option))
    return _BASH % {"paths": paths, "nodes": "\n".join(nodes), "values": "\n".join(values)}


def _bash_value(path: str, option: _Option) -> str:
    after = "|".join(shlex.quote(f"{path} {name}") for name in option.names)
    if option.takes == "file":
        return f'        {after}) _lockgate_files "$cur"; return ;;'
    if option.takes == "text":
        return f"        {after}) return ;;"
    return f'        {after}) COMPREPLY=($(compgen -W "{option.takes}" -- "$cur")); return ;;'


def _fish(known: list[_Command]) -> Iterator[str]:
    yield "# Completes lockgate; made by `lockgate completion fish`."
    for each in known:
        names = each.path.split()[1:]
        seen = [f"__fish_seen_subcommand_from {name}" for name in names]
        inside = "; and ".join(seen) or "true"
        if each.words:
            unseen = f"not __fish_seen_subcommand_from {' '.join(each.words)}"
            helps = {
                sub.path.rpartition(" ")[2]: sub.help
                for sub in known
                if sub.path in {f"{each.path} {word}" for word in each.words}
            }
            for word in each.words:
                yield (
                    f"complete -c lockgate -f -n {_quoted(f'{inside}; and {unseen}')} "
                    f"-a {word} -d {_quoted(helps.get(word, ''))}"
                )
        for option in each.options:
            yield f"complete -c lockgate -n {_quoted(inside)} {_fish_option(option)}"


def _fish_option(option: _Option) -> str:
    words = []
    for name in option.names:
        words.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if option.takes == "file":
        words.append("-r -F")
    elif option.takes == "text":
        words.append("-x")
    elif option.takes != "nothing":
        words.append(f"-x -a {_quoted(option.takes)}")
    return " ".join([*words, f"-d {_quoted(option.help)}"])


def _quoted(text: str) -> str:
    """A word of fish in single quotes, where only backslash and quote mean anything."""
    return "'" + text.replace("%%", "%").replace("\\", "\\\\").replace("'", "\\'") + "'"
