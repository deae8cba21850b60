# Which Debian packages building and testing need, and how to get the missing ones. Sourced by run and test.
# Nothing here builds anything. Read next: run, test.
# SPDX-License-Identifier: MIT

# shellcheck disable=SC2034  # for whoever sources this
# Named by package, found by what they bring, so that another source of the same thing (a newer node, say) serves too.
build_packages="build-essential cmake ninja-build pkg-config node-llhttp libuv1-dev libssl-dev libinih-dev
    libpcre2-dev libsodium-dev zlib1g-dev"
test_packages="libjansson-dev clang libclang-rt-14-dev lld valgrind qemu-user-static gcc-aarch64-linux-gnu
    libc6-dev-arm64-cross python3 python3-websockets openssl curl chromium nodejs npm ca-certificates procps gdb"
lint_packages="clang clang-tidy cppcheck shellcheck"
peer_packages="golang-go erlang-base libboost-fiber-dev libcaf-dev librust-tokio-dev rustc cargo libst-dev python3-greenlet"

# Is this package's work done already, by it or by another?
is_there() {
    case $1 in
    nodejs) command -v node >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    node-llhttp) [ -e /usr/share/llhttp/llhttp.c ] || pkg-config --exists libllhttp 2>/dev/null ;;
    *) dpkg-query -W -f='${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii' ;;
    esac
}

# Install those of the given packages that are missing; says what it does, or lists them and fails.
need_packages() {
    local missing="" package sudo=""
    for package in "$@"; do
        is_there "$package" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null; then
        echo "$0: this is no Debian; install what these Debian packages bring, then try again:$missing" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        sudo=sudo
        if ! command -v sudo >/dev/null; then
            echo "$0: no sudo here; as root: apt-get install$missing" >&2
            return 1
        fi
    fi
    echo "installing:$missing" >&2
    # shellcheck disable=SC2086  # words are meant to split
    if ! { $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends -y $missing \
            -o Dpkg::Use-Pty=0 >/dev/null; }; then
        echo "$0: apt-get failed (its words are above); install these by hand, then try again:$missing" >&2
        return 1
    fi
}
