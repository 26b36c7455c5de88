"""An emulated machine whose disks keep a log of all writes and flushes (`tests.powercut.writelog`).

It boots a kernel of this computer with a little initramfs that is made here, and sees this computer's files,
read-only, over 9p: the project, its environment and its Python run in it unchanged. Its disks are throw-away files.

Needs QEMU, a static busybox, e2fsprogs, and a kernel with its modules under /boot and /lib/modules
(`scripts/install_system.sh soak`). `missing()` says what is not there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

INIT: Final = Path(__file__).with_name("guest_init.sh")
MODULES: Final = ("virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "crc32c_generic", "ext4")
BOOT: Final = Path("/boot")
LIBRARY: Final = Path("/lib/modules")
MEMORY_MB: Final = 768
PROGRAMS: Final = ("qemu-system-x86_64", "busybox", "mke2fs", "e2fsck", "debugfs")
UNPACK: Final = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}
_SYSTEM_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class Kernel(NamedTuple):
    image: Path
    modules: tuple[Path, ...]  # in the order in which they are loaded


class Disk(NamedTuple):
    """A throw-away disk, and the log of what was written to it."""

    image: Path
    log: Path


def program(name: str) -> str:
    """The path of a program; FileNotFoundError if it is not there."""
    found = shutil.which(name, path=_SYSTEM_PATH)
    if found is None:
        raise FileNotFoundError(name)
    return found


def kernel() -> Kernel | None:
    """The newest kernel of this computer that can mount 9p and ext4 and that may be read."""
    for image in sorted(BOOT.glob("vmlinuz-*"), reverse=True):
        folder = LIBRARY / image.name.removeprefix("vmlinuz-")
        modules = _modules(folder)
        if modules is not None and os.access(image, os.R_OK):
            return Kernel(image, modules)
    return None


def _modules(folder: Path) -> tuple[Path, ...] | None:
    """Files of MODULES and of what they need, in order; None where one is missing."""
    try:
        depends = dict(line.split(":") for line in (folder / "modules.dep").read_text().splitlines())
        builtin = {_name(line) for line in (folder / "modules.builtin").read_text().splitlines()}
    except OSError:
        return None
    paths = {_name(path): path for path in depends}
    ordered: list[str] = []
    for name in MODULES:
        if name in builtin:
            continue
        if name not in paths:
            return None
        # modules.dep names what must be loaded last first
        ordered += [path for path in (*reversed(depends[paths[name]].split()), paths[name]) if path not in ordered]
    return tuple(folder / path for path in ordered)


def _name(path: str) -> str:
    return Path(path).name.split(".")[0].replace("-", "_")


def missing() -> str:
    """What this computer lacks for an emulated machine, in words; empty where nothing is missing."""
    lacking = [name for name in PROGRAMS if shutil.which(name, path=_SYSTEM_PATH) is None]
    if kernel() is None:
        lacking.append("a readable kernel with 9p and ext4")
    return f"needs {', '.join(lacking)} (scripts/install_system.sh soak)" if lacking else ""


# --- the initramfs ----------------------------------------------------------------------------------------


def _member(name: str, mode: int, content: bytes) -> bytes:
    """One file of a cpio archive, 'newc' (kernel: Documentation/driver-api/early-userspace/buffer-format.rst)."""
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(block: bytes) -> bytes:
    return block + bytes(-len(block) % 4)


def _unpacked(module: Path) -> bytes:
    tool = UNPACK.get(module.suffix)
    if tool is None:
        return module.read_bytes()
    return subprocess.run([program(tool), "-dc", str(module)], check=True, capture_output=True, timeout=60).stdout


def initramfs(modules: Sequence[Path]) -> bytes:
    """busybox, the modules in their order, and `guest_init.sh` as /init."""
    members: list[tuple[str, int, bytes]] = [(name, 0o040755, b"") for name in ("bin", "dev", "modules")]
    members.append(("bin/busybox", 0o100755, Path(program("busybox")).read_bytes()))
    members.append(("init", 0o100755, INIT.read_bytes()))
    members += [(f"modules/{number:02}.ko", 0o100644, _unpacked(path)) for number, path in enumerate(modules)]
    return b"".join(_member(*one) for one in members) + _member("TRAILER!!!", 0, b"")


# --- running ----------------------------------------------------------------------------------------------


class Machine:
    """See the module. `command` is run in the guest by a shell, in the present folder, as root; then it goes off.

    What the command writes to /dev/ttyS1 is kept line by line in `said`, and the console in `folder / "console"`.
    """

    def __init__(self, folder: Path, disks: Sequence[Disk], command: str) -> None:
        found = kernel()
        assert found is not None, missing()
        self._console, self._said = folder / "console", folder / "said"
        ramfs = folder / "initramfs"
        ramfs.write_bytes(initramfs(found.modules))
        (folder / "command").write_text(command)
        arguments = [
            program("qemu-system-x86_64"), "-machine", "pc,accel=tcg", "-cpu", "max", "-m", str(MEMORY_MB),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
            "-kernel", str(found.image), "-initrd", str(ramfs),
            "-append", f"console=ttyS0 quiet panic=-1 tokuten.folder={folder.absolute()} tokuten.at={Path.cwd()}",
            "-serial", f"file:{self._console}", "-serial", f"file:{self._said}",
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
        ]  # fmt: skip
        for number, disk in enumerate(disks):
            arguments += _logged(number, disk)
        self._errors = (folder / "qemu.err").open("wb")
        self._process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stderr=self._errors)

    @property
    def said(self) -> list[str]:
        """Whole lines that the guest wrote so far."""
        try:
            return self._said.read_text(errors="replace").split("\n")[:-1]
        except FileNotFoundError:
            return []

    def wait(self, timeout_s: float) -> None:
        """Until the machine is off. AssertionError, with the end of its console, if that takes too long."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the machine was not off after {timeout_s:g} s: {self.console()}") from None

    def console(self) -> str:
        return self._console.read_text(errors="replace")[-2_000:] if self._console.exists() else ""

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._errors.close()


def _logged(number: int, disk: Disk) -> Iterator[str]:
    """A disk with a write cache: the guest must flush what it wants to keep. The files under it are never synced."""
    disk.log.touch()
    yield "-blockdev"
    yield (
        f"driver=blklogwrites,node-name=disk{number},"
        f"file.driver=file,file.filename={disk.image},file.cache.no-flush=on,"
        f"log.driver=file,log.filename={disk.log},log.cache.no-flush=on"
    )
    yield "-device"
    yield f"virtio-blk-pci,drive=disk{number},write-cache=on"
