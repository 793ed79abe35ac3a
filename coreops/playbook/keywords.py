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
LATER_TASK = LATER_SHARED | _words(
    "block rescue always include include_role include_tasks include_vars import_role import_tasks action local_action"
    " async async_status poll delegate_to delegate_facts add_host group_by ignore_unreachable"
)
LATER_LOOP_CONTROL = frozenset({"pause", "extended", "extended_allitems", "break_when"})
LATER_META = _words("clear_facts clear_host_errors end_batch end_role refresh_inventory reset_connection")
INSTEAD = {
    "roles": "put the tasks into the play, or into a playbook of their own with import_playbook",
    "block": "write the tasks one after another; 'when', 'become' and 'tags' can stand on each",
    "include_tasks": "put the tasks into the play",
    "import_tasks": "put the tasks into the play",
    "include_vars": "use vars_files on the play",
    "remote_user": "set ansible_user in the inventory",
    "port": "set ansible_port in the inventory",
    "connection": "set ansible_connection in the inventory",
    "become_method": "sudo is the only method; remove the line",
    "gather_subset": "facts are gathered when a task first uses one; remove the line",
}
"""What to do instead of a word that is not supported yet."""
