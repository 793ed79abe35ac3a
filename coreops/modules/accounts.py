"""Reading the account databases of a node, in sh."""

# entry DATABASE NAME: its line, or nothing. getent also knows users of systemd and of the network.
ENTRY = """\
entry() {
  if command -v getent >/dev/null 2>&1; then
    getent -- "$1" "$2" || :
  else
    wanted=$2 awk -F : '($1 "") == (ENVIRON["wanted"] "")' "/etc/$1"
  fi
}
"""
