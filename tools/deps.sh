#!/bin/sh
# Installs what the build ("build") or the build and the tests ("test") need, by package name, from
# Debian and npm. Where there is no apt or no root it says exactly what to install. Quiet and quick
# when all is there.
set -eu
wanted=${1:-test}

missing=''
need() { # command, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need_file() { # file, Debian package
    [ -e "$1" ] || missing="$missing $2"
}
need clang-19 clang-19
need wasm-ld-19 lld-19
need llvm-ar-19 llvm-19
need node nodejs
need npm npm
need_file /usr/include/wasm32-wasi/stdlib.h wasi-libc
need_file /usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a libclang-rt-19-dev-wasm32
if [ "$wanted" = test ]; then
    need chromium chromium
    case "$(uname -m)" in
        x86_64) need_file /usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.asan-x86_64.a libclang-rt-19-dev ;;
        *) need_file /usr/lib/llvm-19/lib/clang/19/lib/linux libclang-rt-19-dev ;;
    esac
fi

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "quern: these Debian packages (or your system's counterparts) are missing:$missing" >&2
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then sudo=''
    elif command -v sudo >/dev/null 2>&1; then sudo='sudo'
    else
        echo "quern: please run as root: apt-get install$missing" >&2
        exit 1
    fi
    echo "installing:$missing"
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# Debian's Node may be too old; npm carries newer ones as packages, kept in build/ (see PATH in the Makefile).
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 20 ]; then
    arch=$(node -p 'process.arch')
    echo "Node $major is too old: installing Node 22 in build/node"
    npm install --prefix build/node --no-save --no-audit --no-fund --no-package-lock --loglevel=error "node-linux-$arch@22"
    mkdir -p build/node/bin
    ln -sf "../node_modules/node-linux-$arch/bin/node" build/node/bin/node
    PATH="$PWD/build/node/bin:$PATH"
fi

[ "$wanted" = test ] || exit 0 # the library and the page have no dependency
if [ ! -d node_modules/webgpu ] || [ ! -d node_modules/playwright-core ] || [ package.json -nt node_modules/.package-lock.json ]; then
    echo 'installing npm packages'
    npm install --no-audit --no-fund --no-package-lock --loglevel=error
    touch node_modules/.package-lock.json
fi
