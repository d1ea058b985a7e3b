# Sourced by the scripts beside it, which set `root` to the checkout first. POSIX sh.
#
# `set_up FILE` makes .venv and installs FILE into it: requirements.txt, or requirements-dev.txt in the versions of constraints.txt.
#   1. If .venv says that exactly these requirements were installed here, nothing is done.
#   2. Else a Python is looked for, and one set-up at a time goes on: the others wait, and then find it done.
#   3. What was installed is noted last, so an interrupted set-up is simply done again.

venv=$root/.venv

say() {
    printf '%s\n' "$*" >&2
}

fail() {
    say "${0##*/}: $*"
    exit 1
}

# How often a long step says that it still goes on, in seconds.
every=10

# step WHAT COMMAND…: says WHAT, runs COMMAND, and every few seconds that it still goes on; its status is COMMAND's.
step() {
    say "$1"
    shift
    tell_time 9<&- &
    teller=$!
    status=0
    "$@" || status=$?
    kill "$teller" 2>/dev/null || :
    wait "$teller" 2>/dev/null || :
    return "$status"
}

# Ends with the script, however that ends: a process in the background hears of no Ctrl-C.
tell_time() {
    seconds=0 sleeper=
    trap 'kill "$sleeper" 2>/dev/null; exit 0' TERM
    while kill -0 $$ 2>/dev/null; do
        [ "$seconds" -eq 0 ] || say "  still going on after $seconds s"
        sleep "$every" >/dev/null 2>&1 &
        sleeper=$!
        wait "$sleeper"
        seconds=$((seconds + every))
    done
}

set_up() {
    # A clone made this folder for everybody to read; it will hold the database and the key.
    [ ! -O "$root/instance" ] || chmod 700 "$root/instance"
    is_set_up "$1" && return
    find_python
    lock
    if ! is_set_up "$1"; then
        say "Setting up .venv with $1; the first time takes about a minute."
        is_venv_usable || step "- making .venv" "$python" -m venv --clear "$venv" \
            || fail "$python could not make a virtual environment in $venv"
        rm -f "$venv"/*.installed
        # A library's new version reaches the tests by a commit of its own: else it could turn an unchanged main red.
        [ "$1" != requirements-dev.txt ] || set -- "$1" -c constraints.txt
        step "- downloading and installing what $1 names" install "$@" \
            || fail "$1 could not be installed (see above); with a network, the same command goes on from here"
        # The development requirements include the others.
        wanted requirements.txt >"$venv/requirements.txt.installed"
        wanted "$1" >"$venv/$1.installed"
    fi
    unlock
}

# install FILE [pip options]
install() {
    (cd "$root" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input -r "$@")
}

# What .venv has to hold, as text: where it is (a moved one has stale paths inside) and the files' own words.
wanted() {
    printf '%s\n' "$root"
    if [ "$1" = requirements.txt ]; then
        cat "$root/$1"
    else
        cat "$root"/requirements*.txt "$root/constraints.txt"
    fi
}

# `import pip` fails where the system's Python has been replaced by another version since.
is_set_up() {
    wanted "$1" | cmp -s - "$venv/$1.installed" && "$venv/bin/python" -c 'import pip' 2>/dev/null
}

# A .venv that somebody made by hand in this place will do, too.
is_venv_usable() {
    "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && grep -qF "$venv" "$venv/bin/activate"
}

# Sets `python` to the first one that is new enough and can make a virtual environment; PYTHON=… is asked first.
find_python() {
    without_venv=
    for python in "${PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue
        "$python" -c 'import ensurepip, venv' >/dev/null 2>&1 && return
        without_venv=${without_venv:-${python##*/}}
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv-venv is missing: sudo apt-get install $without_venv-venv"
    fi
    fail "Python 3.11 or newer is missing: sudo apt-get install python3 python3-venv (Ubuntu 22.04: python3.11-venv), or: brew install python"
}

# The lock is on this file, through descriptor 9, which the shell shares with its children: the kernel frees it however
# the shell ends. flock(1) is not on every system (macOS), Python is.
lock() {
    exec 9<"$root/scripts/setup.sh"
    "$python" -c '
import fcntl, sys
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Waiting for another set-up of this checkout.", file=sys.stderr)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks: go on as if alone
'
}

unlock() {
    exec 9<&-
}
