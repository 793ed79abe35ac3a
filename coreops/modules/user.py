"""user: an account of the node's own database. A password's hash travels in the environment, never in argv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import accounts, readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import outcome
from coreops.shell.quote import q


def _field(value: str) -> str:
    if ":" in value or "\n" in value:
        raise ValueError("cannot hold a colon or a newline: /etc/passwd is made of them")
    return value


_comment = readers.text.then(_field)
_folder = readers.node_path.then(_field)


class UserArguments(Arguments):
    name = argument(readers.name, aliases=("user",), description="Login name.")
    state = argument(readers.choice("present", "absent"), "present", description="Is there such an account?")
    uid = argument(readers.integer(at_least=0), None, description="Its number. Default: the next free one.")
    non_unique = argument(readers.boolean, False, description="`uid` may belong to another account as well.")
    comment = argument(_comment, None, description="Full name or purpose (GECOS).")
    group = argument(readers.name, None, description="Primary group; must exist.")
    groups = argument(readers.names, None, description="Further groups, a list or separated by commas; `[]` for none.")
    append = argument(readers.boolean, False, description="Keep the groups it is in besides.")
    home = argument(_folder, None, description="Home folder.")
    create_home = argument(
        readers.boolean, True, aliases=("createhome",), description="Make the home of a new account."
    )
    move_home = argument(readers.boolean, False, description="Move the old home's content when `home` changes.")
    skeleton = argument(readers.node_path, None, description="What a new home holds. Default: `/etc/skel`.")
    shell = argument(_folder, None, description="Login shell.")
    system = argument(readers.boolean, False, description="A new account gets a number from the system's range.")
    password = argument(readers.text, None, description="Hash of the password, as in /etc/shadow; `!` or `*` for none.")
    update_password = argument(
        readers.choice("always", "on_create"), "always", description="Does `password` go for old accounts?"
    )
    password_lock = argument(readers.boolean, None, description="Is login with the password locked?")
    remove = argument(readers.boolean, False, description="With `absent`: remove home and mail as well.")
    force = argument(readers.boolean, False, description="With `absent`: even when it is logged in.")

    def check(self) -> None:
        if self.password is not None:
            hashed = self.password
            if any(c in hashed for c in ":\n\0"):
                raise ValueError("password is a hash, which holds no colon and no newline")
            if hashed and hashed[0] not in "$*!_" and len(hashed) != 13:
                raise ValueError("password is no hash; make one with: openssl passwd -6")


class User(Module[UserArguments]):
    """Makes, changes and removes accounts."""

    name = "user"
    summary = "Make, change and remove accounts"
    arguments = UserArguments
    example = """\
- name: The account etcd runs under
  user:
    name: etcd
    system: true
    home: /var/lib/etcd
    create_home: false
    shell: /sbin/nologin
"""

    def steps(self, args: UserArguments, context: Context) -> Sequence[Step]:
        env = {} if args.password is None else {"coreops_password": args.password}
        probe, act = _absent(args) if args.state == "absent" else _present(args)
        return [
            context.step(
                probe=probe,
                act=act,
                env=env,
            )
        ]

    def result(self, args: UserArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"name": args.name, "state": args.state}
        for name in ("uid", "comment", "group", "home", "shell", "append", "system"):
            if (value := getattr(args, name)) is not None:
                data[name] = value
        if args.groups is not None:
            data["groups"] = ",".join(args.groups)
        return outcome(records, data)


def _absent(args: UserArguments) -> tuple[str, str]:
    options = ("--remove " if args.remove else "") + ("--force " if args.force else "")
    # userdel --remove speaks of a mail spool that is not there and exits 12 when only that is missing.
    return (
        sh.probe(accounts.ENTRY, '[ -z "$(entry passwd "$name")" ]\n', name=args.name),
        sh.act(f'userdel {options}-- "$name" || [ $? -eq 12 ]\n', name=args.name),
    )


def _present(args: UserArguments) -> tuple[str, str]:
    """Every wish is a test and the option of usermod that grants it."""
    wishes: list[tuple[str, str]] = []
    unique = "--non-unique " if args.non_unique else ""
    for value, have, option in (
        (args.uid, "uid", f"{unique}--uid"),
        (args.comment, "comment", "--comment"),
        (args.home, "home", f"{'--move-home ' if args.move_home else ''}--home"),
        (args.shell, "shell", "--shell"),
    ):
        if value is not None:
            wishes.append((f'[ "${have}" = {q(str(value))} ]', f"{option} {q(str(value))}"))
    if args.group is not None:
        test = f'{{ [ "$gid" = {q(args.group)} ] || [ "$(id -gn -- "$name")" = {q(args.group)} ]; }}'
        wishes.append((test, f"--gid {q(args.group)}"))
    if args.groups is not None:
        wanted = " ".join(sorted(set(args.groups) - {args.group}))
        test = f"in_groups {q(wanted)}" if args.append else f"only_groups {q(wanted)}"
        if wanted or not args.append:
            wishes.append((test, f"{'--append ' if args.append else ''}--groups {q(wanted.replace(' ', ','))}"))
    password = ""
    if args.password is not None and args.update_password == "always":
        password = '[ "$(hash)" = "$coreops_password" ]'
    lock = ""
    if args.password_lock is not None:
        yes, no = (":", "false") if args.password_lock else ("false", ":")
        lock = f"case $(hash) in !*) {yes} ;; *) {no} ;; esac"
    shared = accounts.ENTRY + _LOOK
    tests = [test for test, _ in wishes] + [test for test in (password, lock) if test]
    probe = sh.probe(shared, "look || exit 1\n", *(f"{test} || exit 1\n" for test in tests), name=args.name)
    # useradd has no --append and no --move-home; a new account has nothing to keep.
    options = " ".join(option.removeprefix("--append ").removeprefix("--move-home ") for _, option in wishes)
    add = " ".join(
        word
        for word, on in (
            ("--system", args.system),
            ("--create-home", args.create_home),
            ("--no-create-home", not args.create_home),
            (f"--skel {q(args.skeleton or '')}", args.skeleton is not None and args.create_home),
        )
        if on
    )
    set_password = 'printf \'%s:%s\\n\' "$name" "$coreops_password" | chpasswd -e\n'
    on_create = set_password if args.password is not None else ""
    body = [f'if ! look; then\n  useradd {add} {options} -- "$name"\n' + _indent(on_create)]
    body.append("  look\nfi\n" if wishes or tests else "fi\n")
    for test, option in wishes:
        body.append(f'{test} || usermod {option} -- "$name"\n')
    if password:
        body.append(f"{password} || {set_password}")
    if lock:
        body.append(f'{{ {lock}; }} || usermod --{"lock" if args.password_lock else "unlock"} -- "$name"\n')
    return probe, sh.act(shared, *body, name=args.name)


def _indent(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())


_LOOK = """\
look() {
  is=$(entry passwd "$name")
  [ -n "$is" ] || return 1
  # shellcheck disable=SC2034 # not all are looked at
  IFS=: read -r _ _ uid gid comment home shell <<END
$is
END
}
# shellcheck disable=SC2329 # not all are needed
hash() { entry shadow "$name" | cut -d : -f 2; }
# shellcheck disable=SC2329
groups_of() {
  primary=$(id -gn -- "$name") || exit 2
  for one in $(id -Gn -- "$name"); do
    [ "$one" = "$primary" ] || printf '%s\\n' "$one"
  done | sort
}
# shellcheck disable=SC2329
only_groups() { [ "$(groups_of | tr '\\n' ' ')" = "${1:+$1 }" ]; }
# shellcheck disable=SC2329
in_groups() {
  have=" $(id -Gn -- "$name") "
  for one in $1; do
    case $have in *" $one "*) ;; *) return 1 ;; esac
  done
}
"""
