#!/bin/sh
# Install the Debian packages that the tests need (the demo needs none). Does nothing where they are all present.
#   scripts/install_system.sh         for `make test`
#   scripts/install_system.sh soak    for `make soak`: the model checker and an emulated machine as well
set -eu
packages="mosquitto chromium libzbar0 fonts-noto-cjk iproute2 nftables postgresql"

# Node runs the board's firmware in the tests; any that is there will do, wherever it came from.
command -v node >/dev/null || packages="$packages nodejs"
command -v npm >/dev/null || packages="$packages npm"

case ${1:-} in
'') ;;
soak)
    packages="$packages spin gcc libc6-dev qemu-system-x86 busybox-static e2fsprogs"
    # The emulated machine runs a kernel of this computer; a container has none.
    ls /boot/vmlinuz-* >/dev/null 2>&1 || packages="$packages linux-image-amd64"
    ;;
*)
    echo "install_system.sh: nothing is called $1" >&2
    exit 2
    ;;
esac

command -v dpkg-query >/dev/null || {
    echo "tokuten: this is not Debian; the tests need these by other means: $packages" >&2
    exit 0
}
missing=
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "tokuten: the tests need Debian packages; as root: apt-get install$missing" >&2
        exit 4
    }
    sudo=sudo
fi
echo "Installing for the tests:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get install --yes --quiet --no-install-recommends $missing || {
    $sudo apt-get update --quiet
    $sudo apt-get install --yes --quiet --no-install-recommends $missing
}
