# shellcheck shell=bash
# What the scripts beside this file have in common: each function looks for one thing and installs what is missing.

# A soft limit on open files below the first is raised to the second, or to the hard limit where that is lower: a desktop's
# usual 1024 is too few for the tests of ten thousand requests at once, and for a busy service.
readonly OPEN_FILES_MIN=4096
readonly OPEN_FILES_WANTED=65536

# apt-get waits this long for another apt-get to finish, then gives up.
readonly APT_LOCK_SECONDS_MAX=60

# One line on standard error, with the name of the script that says it.
say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# Runs a command with the rights that installing takes: as it is for root, by sudo for anybody else.
as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Installs Debian packages, quietly. Fails without a word where there is no apt-get or no right to use it, so that the
# caller can say what that means. The package lists are fetched only when the lists at hand do not do.
install_packages() {
    command -v apt-get >/dev/null || return 1
    ((EUID == 0)) || command -v sudo >/dev/null || return 1
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o "DPkg::Lock::Timeout=$APT_LOCK_SECONDS_MAX")
    local install=("${apt[@]}" install --yes --no-install-recommends "$@")
    say "installing $* with apt-get"
    as_root "${install[@]}" &>/dev/null ||
        { as_root "${apt[@]}" update && as_root "${install[@]}"; } &>/dev/null
}

# Finds cargo, also where rustup has just put it and this shell's PATH does not know it yet; ends the script without it.
require_cargo() {
    command -v cargo >/dev/null || PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    if ! command -v cargo >/dev/null; then
        say "cargo is missing: install Rust with the one command that https://rustup.rs shows, then try again"
        exit 1
    fi
}

# SQLite is compiled from its C source, so a C compiler is needed; ends the script where there is none to be had.
require_c_compiler() {
    command -v cc >/dev/null && return
    if ! install_packages gcc libc6-dev; then
        say "a C compiler is missing (SQLite is built from source): install gcc and libc6-dev, then try again"
        exit 1
    fi
}

# Fails where there is no memcached and it cannot be installed; what to do then is for the caller to decide.
ensure_memcached() {
    command -v memcached >/dev/null || install_packages memcached
}

# The servers that a queue of jobs can be kept on. Debian keeps PostgreSQL's programs out of the PATH.
ensure_queue_servers() {
    { command -v redis-server && compgen -G '/usr/lib/postgresql/*/bin/initdb'; } >/dev/null ||
        install_packages postgresql redis-server
}

# A browser, and what drives it, for the tests of the page.
ensure_chromium() {
    { command -v chromium && command -v chromedriver; } >/dev/null || install_packages chromium chromium-driver
}

# Raises a low soft limit on open files as far as the hard limit lets it; it is no failure if it cannot.
raise_open_files() {
    local soft hard wanted=$OPEN_FILES_WANTED
    soft=$(ulimit -S -n)
    hard=$(ulimit -H -n)
    if [[ $soft == unlimited ]] || ((soft >= OPEN_FILES_MIN)); then
        return
    fi
    if [[ $hard != unlimited ]] && ((hard < wanted)); then
        wanted=$hard
    fi
    ulimit -S -n "$wanted" || say "only $soft files may be open at once, and the limit cannot be raised"
}
