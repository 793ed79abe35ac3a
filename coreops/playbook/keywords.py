"""The words of the language, as data: what coreops understands, and what Ansible knows but coreops does not yet."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHARED = _words(
    "name vars become become_user environment tags ignore_errors timeout no_log any_errors_fatal check_mode diff"
)
PLAY = SHARED | _words(
    "hosts vars_files tasks handlers pre_tasks post_tasks gather_facts serial max_fail_percentage strategy"
)
TASK = SHARED | _words(
    "args when loop with_items loop_control register notify failed_when changed_when until retries delay"
)
HANDLER = TASK | {"listen"}
LOOP_CONTROL = frozenset({"loop_var", "index_var", "label"})
META = frozenset({"flush_handlers", "end_host", "end_play", "noop"})
IMPORT = frozenset({"import_playbook", "name", "tags"})

LATER_SHARED = _words(
    "become_exe become_flags become_method collections connection debugger module_defaults port remote_user throttle"
    " run_once"
)
LATER_PLAY = LATER_SHARED | _words(
    "roles vars_prompt force_handlers gather_subset gather_timeout fact_path order ignore_unreachable validate_argspec"
)
_WITH = _words("with_dict with_fileglob with_list with_nested with_sequence with_subelements with_together")
LATER_TASK = (
    LATER_SHARED
    | _WITH
    | _words(
        "block rescue always include include_role include_tasks include_vars import_role import_tasks action"
        " local_action async async_status poll delegate_to delegate_facts add_host group_by ignore_unreachable"
    )
)
LATER_LOOP_CONTROL = frozenset({"pause", "extended", "extended_allitems", "break_when"})
LATER_META = _words("clear_facts clear_host_errors end_batch end_role refresh_inventory reset_connection")
_PLAIN = "put the tasks into the play, or into a playbook of their own with import_playbook"
_ELSEWHERE = "write a play for that host; others read what it registers as hostvars[HOST].NAME"
_LOOPS = "use loop: with a template: | dict2items, | product(...), | zip(...), range(...), lookup('fileglob', ...)"
_LONG = "timeout: gives a task more time; what shall outlive it is started with systemd-run or as a unit"
_FACTS = "facts are gathered when a task first uses one; remove the line"
_SUDO = "sudo is the only way to become somebody; remove the line"
INSTEAD = {
    **dict.fromkeys(
        ("roles", "include", "include_tasks", "import_tasks", "include_role", "import_role", "end_role"), _PLAIN
    ),
    "block": "write the tasks one after another; 'when', 'become' and 'tags' can stand on each",
    "rescue": "register the task with ignore_errors: true; tasks with 'when: NAME is failed' come after it",
    "always": "register the tasks before it with ignore_errors: true; end with fail and 'when: NAME is failed'",
    "include_vars": "use vars_files on the play",
    **dict.fromkeys(("delegate_to", "delegate_facts"), _ELSEWHERE),
    "local_action": "write a play with 'hosts: localhost'",
    "run_once": "when: inventory_hostname == ansible_play_batch[0]; others read the result through hostvars",
    "action": "write the module's name itself, its arguments below it",
    **dict.fromkeys(("async", "async_status", "poll"), _LONG),
    **dict.fromkeys(_WITH, _LOOPS),
    **dict.fromkeys(("add_host", "group_by", "refresh_inventory"), "write hosts and groups into the inventory"),
    **dict.fromkeys(("ignore_unreachable", "clear_host_errors"), "max_fail_percentage says how many hosts may be lost"),
    "throttle": "use serial on the play, or --forks",
    "module_defaults": "write the arguments on each task, with variables for what they share",
    "collections": "all modules are built in; remove the line",
    "debugger": "remove the line; --check --diff and -vv show what a task does",
    "remote_user": "set ansible_user in the inventory",
    "port": "set ansible_port in the inventory",
    "connection": "set ansible_connection in the inventory",
    **dict.fromkeys(("become_method", "become_exe", "become_flags"), _SUDO),
    **dict.fromkeys(("gather_subset", "gather_timeout", "fact_path"), _FACTS),
    "clear_facts": "run the setup module again, it replaces the facts",
    "vars_prompt": "give the value with --extra-vars, secrets with --extra-vars @FILE",
    "force_handlers": "put 'meta: flush_handlers' after the tasks that notify",
    "order": "hosts run in the order of the inventory; name them in another order in hosts:",
    "validate_argspec": "check variables with assert",
    "reset_connection": "what needs a new login comes in a playbook of its own, as a second run",
    "end_batch": "use end_host, which ends the play for each host that its condition holds for",
    "pause": "use until, retries and delay to wait for something",
    **dict.fromkeys(("extended", "extended_allitems"), "use index_var, and the list itself for its length"),
    "break_when": "register the loop, and give the items a 'when'",
}
"""What to do instead of a word that is not supported yet."""
