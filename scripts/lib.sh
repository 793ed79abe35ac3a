# Shared by the scripts beside it; sourced from the top of the checkout, never run.
# Everything here may be repeated, and is quick when there is nothing to do.

# The tests start coreops hundreds of times: whatever the environment says, each file is compiled once.
unset PYTHONDONTWRITEBYTECODE

say() {
    printf '==> %s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Why no lab can run here; nothing when one can.
no_lab_because() {
    if [ "$(uname -s)" != Linux ]; then
        echo "they need Linux, this is $(uname -s)"
    elif [ "$(id -u)" != 0 ]; then
        echo "they need root"
    fi
}

# Let root's programs watch files so many times at once: each node of a lab does, some ten times.
allow_watches() {
    limit=/proc/sys/fs/inotify/max_user_instances
    [ -w "$limit" ] && [ "$(cat "$limit")" -lt "$1" ] || return 0
    say "raising fs.inotify.max_user_instances from $(cat "$limit") to $1, until the next boot"
    echo "$1" >"$limit" 2>/dev/null || say "that was refused: fewer labs fit side by side"
}

# Packages of the groups that are not installed.
missing_packages() {
    awk -v want=" all $* " '/^[^#]/ && index(want, " " $2 " ") { print $1, $3 }' scripts/packages.txt |
        while read -r package program; do
            [ -z "$program" ] || ! command -v "$program" >/dev/null || continue
            state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) || state=absent
            [ "$state" = installed ] || printf '%s ' "$package"
        done
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        say "no apt-get here: taking for granted what scripts/packages.txt lists"
        return
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        say "not root, so not installed: $missing"
        return
    fi
    say "installing $missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # one word a package
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# The first Python that is new enough and can make virtual environments.
find_python() {
    for python in python3 python3.11 python3.12 python3.13 python3.14 /usr/bin/python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    die "no Python 3.11 or newer with venv; on Debian 12: apt-get install python3 python3-venv"
}

# .venv with coreops and its tools, made again when pyproject.toml has changed.
make_venv() {
    wanted=$(cksum <pyproject.toml)
    if [ "$(cat .venv/.installed 2>/dev/null)" = "$wanted" ] && .venv/bin/coreops --version >/dev/null 2>&1; then
        return
    fi
    python=$(find_python)
    say "installing coreops and its tools into .venv"
    if .venv/bin/python -c '' 2>/dev/null; then
        "$python" -m venv .venv
    else
        "$python" -m venv --clear .venv
    fi
    # What is imported is compiled when it is; all there is would take as long as the rest.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -e '.[dev]'
    printf '%s\n' "$wanted" >.venv/.installed
}

# Download packages of this system's archive into the current folder, without installing them.
download_packages() {
    command -v apt-get >/dev/null || die "no apt-get here to get $* with"
    apt-get download -qq "$@" >/dev/null 2>&1 && return
    # A machine that is new has no package lists.
    [ "$(id -u)" = 0 ] && apt-get update -qq >/dev/null && apt-get download -qq "$@" >/dev/null
}
