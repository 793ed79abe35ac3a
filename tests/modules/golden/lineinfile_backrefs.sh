# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest=/etc/f
state=present
line='\1&'
where=eof
create=False
pattern='(a)/b'
replace='s/(a)\/b/\
\1\&\
/'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
LC_ALL=C
export LC_ALL
exact_lines() {
  line=$line awk '{ sub(/\r+$/, "") } ($0 "") == (ENVIRON["line"] "") { print NR }'
}
# shellcheck disable=SC2094 # both only read
find_lines() { grep -n -i -E -e "$pattern" <"$dest" | cut -d : -f 1; }
find_near() { :; }
pick() { tail -n 1; }
fallback() {
  found=$(exact_lines <"$dest" | tail -n 1)
  [ -n "$found" ]
}
backrefs=yes
swap() {
  printf '%s\n' "$old" | sed -E -e "${replace}I" -e 's/^[^\n]*\n//' -e 's/\n.*$//'
}
look() {
  todo='' at='' old='' text=$line
  if [ ! -s "$dest" ]; then
    [ "$state" = absent ] || [ -n "$backrefs" ] || todo=insert
    [ ! -e "$dest" ] || [ ! -d "$dest" ] || fail "$dest is a directory"
    [ -e "$dest" ] || [ "$state" = absent ] || [ -z "$backrefs" ] || todo=create
    at=1
    return 0
  fi
  [ -f "$dest" ] || fail "$dest is not a regular file"
  # shellcheck disable=SC2094 # both only read
  tr -d '\000' <"$dest" | cmp -s - "$dest" || fail "$dest holds NUL bytes; it is not a text file"
  found=$(find_lines)
  if [ "$state" = absent ]; then
    [ -z "$found" ] || { todo=remove at=$found; }
    return 0
  fi
  found=$(printf '%s\n' "$found" | pick)
  if [ -n "$found" ] || { [ -z "$backrefs" ] && fallback; }; then
    at=$found
    old=$(sed -n "${at}p" "$dest")
    text=$(swap)
    [ "$old" = "$text" ] || todo=replace
    return 0
  fi
  [ -z "$backrefs" ] || return 0
  todo=insert
  case $where in
    bof) at=1 ;;
    *) at=$(find_near) ;;
  esac
  [ "$where" != after ] || [ -z "$at" ] || at=$((at + 1))
  if [ "$where" = after ] && [ -n "$at" ]; then
    # x: a line beyond the end is not an empty line
    [ "$(sed -n "${at}s/^/x/p" "$dest")" != "x$line" ] || todo=''
  fi
}
tell() {
  case $todo in
    replace) printf 'line replaced\n-%s\n+%s\n' "$old" "$text" ;;
    insert) printf 'line added\n+%s\n' "$text" ;;
    create) printf 'file created\n' ;;
    remove)
      printf '%s line(s) removed\n' "$(printf '%s\n' "$at" | wc -l | tr -d ' ')"
      at=$at awk 'BEGIN { n = split(ENVIRON["at"], list, "\n"); for (i = 1; i <= n; i++) gone[list[i]] = 1 }
        NR in gone { print "-" $0 }' "$dest"
      ;;
  esac
}
edit() {
  [ "$todo" != create ] || return 0
  if [ ! -s "$dest" ]; then
    printf '%s\n' "$text"
    return
  fi
  open=''
  [ -z "$(tail -c 1 "$dest")" ] || open=1
  todo=$todo at=$at text=$text open=$open awk '
    BEGIN {
      todo = ENVIRON["todo"]
      n = split(ENVIRON["at"], list, "\n")
      for (i = 1; i <= n; i++) if (list[i] != "") here[list[i]] = 1
    }
    NR > 1 && ended { printf "\n" }
    { ended = 0 }
    (NR in here) && todo == "remove" { next }
    (NR in here) && todo == "replace" { print ENVIRON["text"]; next }
    (NR in here) && todo == "insert" { print ENVIRON["text"]; done = 1 }
    { printf "%s", $0; ended = 1 }
    END {
      if (todo == "insert" && !done) { if (ended) printf "\n"; print ENVIRON["text"]; exit }
      if (ended && ENVIRON["open"] == "") printf "\n"
    }' "$dest"
}
if [ ! -e "$dest" ]; then
  [ "$state" = present ] || exit 0
  [ "$create" = True ] || fail "$dest does not exist; create: true would make it"
fi
look
if [ -n "$todo" ]; then
  tell
  exit 1
fi
[ ! -e "$dest" ] || attributes_hold "$dest"
)
act_t() (
set -eu
dest=/etc/f
state=present
line='\1&'
where=eof
create=False
pattern='(a)/b'
replace='s/(a)\/b/\
\1\&\
/'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
set_attributes() { :; }
validate() { :; }
backup() { :; }
place() {
  if [ -e "$2" ]; then
    old=$(stat -L -c '%a %u:%g' -- "$2")
    chown -- "${old#* }" "$1"
    chmod -- "0${old%% *}" "$1"
  else
    chmod -- 0644 "$1"
  fi
  set_attributes "$1"
  validate "$1" || fail "the new content did not pass its validation; $2 is as it was"
  backup "$2"
  sync -- "$1" 2>/dev/null || sync
  mv -f -- "$1" "$2"
}
attributes_hold() { :; }
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
LC_ALL=C
export LC_ALL
exact_lines() {
  line=$line awk '{ sub(/\r+$/, "") } ($0 "") == (ENVIRON["line"] "") { print NR }'
}
# shellcheck disable=SC2094 # both only read
find_lines() { grep -n -i -E -e "$pattern" <"$dest" | cut -d : -f 1; }
find_near() { :; }
pick() { tail -n 1; }
fallback() {
  found=$(exact_lines <"$dest" | tail -n 1)
  [ -n "$found" ]
}
backrefs=yes
swap() {
  printf '%s\n' "$old" | sed -E -e "${replace}I" -e 's/^[^\n]*\n//' -e 's/\n.*$//'
}
look() {
  todo='' at='' old='' text=$line
  if [ ! -s "$dest" ]; then
    [ "$state" = absent ] || [ -n "$backrefs" ] || todo=insert
    [ ! -e "$dest" ] || [ ! -d "$dest" ] || fail "$dest is a directory"
    [ -e "$dest" ] || [ "$state" = absent ] || [ -z "$backrefs" ] || todo=create
    at=1
    return 0
  fi
  [ -f "$dest" ] || fail "$dest is not a regular file"
  # shellcheck disable=SC2094 # both only read
  tr -d '\000' <"$dest" | cmp -s - "$dest" || fail "$dest holds NUL bytes; it is not a text file"
  found=$(find_lines)
  if [ "$state" = absent ]; then
    [ -z "$found" ] || { todo=remove at=$found; }
    return 0
  fi
  found=$(printf '%s\n' "$found" | pick)
  if [ -n "$found" ] || { [ -z "$backrefs" ] && fallback; }; then
    at=$found
    old=$(sed -n "${at}p" "$dest")
    text=$(swap)
    [ "$old" = "$text" ] || todo=replace
    return 0
  fi
  [ -z "$backrefs" ] || return 0
  todo=insert
  case $where in
    bof) at=1 ;;
    *) at=$(find_near) ;;
  esac
  [ "$where" != after ] || [ -z "$at" ] || at=$((at + 1))
  if [ "$where" = after ] && [ -n "$at" ]; then
    # x: a line beyond the end is not an empty line
    [ "$(sed -n "${at}s/^/x/p" "$dest")" != "x$line" ] || todo=''
  fi
}
tell() {
  case $todo in
    replace) printf 'line replaced\n-%s\n+%s\n' "$old" "$text" ;;
    insert) printf 'line added\n+%s\n' "$text" ;;
    create) printf 'file created\n' ;;
    remove)
      printf '%s line(s) removed\n' "$(printf '%s\n' "$at" | wc -l | tr -d ' ')"
      at=$at awk 'BEGIN { n = split(ENVIRON["at"], list, "\n"); for (i = 1; i <= n; i++) gone[list[i]] = 1 }
        NR in gone { print "-" $0 }' "$dest"
      ;;
  esac
}
edit() {
  [ "$todo" != create ] || return 0
  if [ ! -s "$dest" ]; then
    printf '%s\n' "$text"
    return
  fi
  open=''
  [ -z "$(tail -c 1 "$dest")" ] || open=1
  todo=$todo at=$at text=$text open=$open awk '
    BEGIN {
      todo = ENVIRON["todo"]
      n = split(ENVIRON["at"], list, "\n")
      for (i = 1; i <= n; i++) if (list[i] != "") here[list[i]] = 1
    }
    NR > 1 && ended { printf "\n" }
    { ended = 0 }
    (NR in here) && todo == "remove" { next }
    (NR in here) && todo == "replace" { print ENVIRON["text"]; next }
    (NR in here) && todo == "insert" { print ENVIRON["text"]; done = 1 }
    { printf "%s", $0; ended = 1 }
    END {
      if (todo == "insert" && !done) { if (ended) printf "\n"; print ENVIRON["text"]; exit }
      if (ended && ENVIRON["open"] == "") printf "\n"
    }' "$dest"
}
look
if [ -z "$todo" ]; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%/*}/" ] || mkdir -p -- "${dest%/*}"
tmp=$(mktemp -- "$dest.coreops.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
edit >"$tmp"
place "$tmp" "$dest"
)
