#!/usr/bin/env python3
"""Writes an OCI bundle for crun or runc: a container in which this machine's programs are visible, read-only.

    bundle.py DIR MODE[,CHANGE...] COMMAND...

The modes are those of docs/containers.md. A change takes something away from a mode, or gives it back, to show what
the library says then. DIR gets config.json and an empty rootfs. BUNDLE_DIRS names more directories to show, separated
by colons: FROM:FROM:...; FROM=TO shows one elsewhere.
"""

import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOBODY_ELSE = 54321  # the ordinary user inside: nobody on the machine, whose processes would count too

# What Docker gives a container, and Podman and containerd nearly so.
DEFAULT_CAPS = (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID "
    "SYS_CHROOT"
).split()

# What the host program needs to give each run ids of its own, and to clear up after it.
OWN_IDS_CAPS = "CHOWN DAC_OVERRIDE KILL SETFCAP SETGID SETPCAP SETUID".split()

MODES = {
    "root": {"caps": [*DEFAULT_CAPS, "SYS_ADMIN"], "cgroups": "rw"},
    "user": {"caps": [], "uid": NOBODY_ELSE, "no_new_privs": True},
    "userns": {"caps": OWN_IDS_CAPS, "ids": (0, 100000, 65536), "no_new_privs": True},
    # For a crun that is itself root of a user namespace with this one id.
    "rootless": {"caps": [], "uid": NOBODY_ELSE, "ids": (NOBODY_ELSE, 0, 1), "no_new_privs": True},
    # What an engine does without being asked for anything.
    "default": {"caps": DEFAULT_CAPS, "profile": "default", "masked": True},
}

# As engines cover and protect /proc unless told not to.
MASKED = "acpi kcore keys latency_stats timer_list timer_stats sched_debug scsi".split()
READ_ONLY = "bus fs irq sys sysrq-trigger".split()


# ---- profiles


def own_profile():
    return json.loads((HERE / "seccomp.json").read_text())


def rule(names, errno=0, *tests):
    action = {"action": "SCMP_ACT_ERRNO", "errnoRet": errno} if errno else {"action": "SCMP_ACT_ALLOW"}
    return {"names": names, "args": list(tests)} | action


def without(names, errno):
    """Our profile, but these calls fail."""
    profile = own_profile()
    for known in profile["syscalls"]:
        known["names"] = [name for name in known["names"] if name not in names]
    profile["syscalls"].append(rule(names, errno))
    return profile


def no_user_namespaces(errno):
    """Our profile, but for user namespaces. A profile cannot look into clone3's flags, so that does not exist."""
    flag = 0x10000000
    new_user = {"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}
    others = new_user | {"valueTwo": 0}
    profile = own_profile()
    needs = profile["syscalls"][0]
    needs["names"] = [name for name in needs["names"] if name not in ("clone", "clone3")]
    profile["syscalls"] += [rule(["clone"], errno, new_user), rule(["clone"], 0, others), rule(["clone3"], 38)]
    return profile


def default_profile():
    """As Docker's without CAP_SYS_ADMIN: no namespaces, no mounts, clone3 does not exist, five personalities."""
    no_namespaces = {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    personalities = [
        rule(["personality"], 0, {"index": 0, "value": value, "op": "SCMP_CMP_EQ"})
        for value in (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
    ]
    profile = own_profile()
    profile["defaultErrnoRet"] = 1
    profile["syscalls"] = [known for known in profile["syscalls"][1:] if known["names"] != ["keyctl"]]
    profile["syscalls"] += [rule(["ptrace"]), rule(["clone"], 0, no_namespaces), rule(["clone3"], 38), *personalities]
    return profile


MOUNTS = "mount mount_setattr move_mount open_tree umount2".split()
PROFILES = {
    "own": own_profile,
    "default": default_profile,
    "no-clone3": lambda: without(["clone3"], 38),
    "no-personality": lambda: without(["personality"], 38),
    "no-mounts": lambda: without(MOUNTS, 1),
    "no-pivot_root": lambda: without(["pivot_root"], 1),
    # A Linux security module refuses with EACCES.
    "module": lambda: without(MOUNTS, 13),
    "module-users": lambda: no_user_namespaces(13),
}


# ---- the bundle


def mount(to, kind, *options, source=None):
    return {"destination": to, "type": kind, "source": source or kind, "options": list(options)}


def shown(source, to):
    return mount(to, "bind", "rbind", "ro", source=source)


def file_systems():
    return [
        mount("/proc", "proc", "nosuid", "nodev", "noexec"),
        mount("/dev", "tmpfs", "nosuid", "mode=755", "size=64k"),
        mount("/dev/pts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
        mount("/dev/shm", "tmpfs", "nosuid", "nodev", "noexec", "mode=1777"),
        mount("/dev/mqueue", "mqueue", "nosuid", "nodev", "noexec"),
        mount("/sys", "sysfs", "nosuid", "nodev", "noexec", "ro"),
        # Programs are executed in it, and it has set-user-ID files of the tests.
        mount("/tmp", "tmpfs", "nodev", "mode=1777"),
    ]


def system(rootfs):
    """The machine's programs: /bin and its like are links where /usr is merged, directories elsewhere."""
    mounts = [shown("/usr", "/usr"), shown("/etc", "/etc")]
    for top in map(Path, ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")):
        if top.is_symlink():
            os.symlink(os.readlink(top), rootfs / top.name)
        elif top.is_dir():
            mounts.append(shown(str(top), str(top)))
    return mounts


def cgroups(how):
    """The machine's own, with all hierarchies: rw, or rro for read-only ones. There is no cgroup namespace then, so
    that the paths in /proc/self/cgroup are where they say."""
    source = os.environ.get("BUNDLE_CGROUPS", "/sys/fs/cgroup")
    return [mount("/sys/fs/cgroup", "bind", "rbind", how, source=source)] if how else []


def more_dirs():
    for entry in filter(None, os.environ.get("BUNDLE_DIRS", "").split(":")):
        source, _, to = entry.partition("=")
        yield shown(source, to or source)


def knob(bundle, name, value):
    """A sysctl as another kernel would have it: a directory in front of /proc/sys/kernel."""
    fake = bundle / "kernel"
    fake.mkdir()
    (fake / name).write_text(value + "\n")
    return shown(str(fake), "/proc/sys/kernel")


def change(mode, text):
    name, _, value = text.partition("=")
    if name in ("cap-drop", "cap-add"):
        mode["caps"] = sorted({*mode["caps"]} - {value} if name == "cap-drop" else {*mode["caps"], value})
    elif name == "masked":
        mode["masked"] = True
    elif name in ("profile", "cgroups", "processes", "knob"):
        mode[name] = value
    elif name == "uid":
        mode[name] = int(value)
    else:
        sys.exit(f"bundle.py: what is {text}?")


def linux(mode):
    namespaces = ["pid", "ipc", "uts", "mount", "network"] + ([] if mode.get("cgroups") else ["cgroup"])
    config = {"seccomp": PROFILES[mode.get("profile", "own")]()}
    if "ids" in mode:
        inside, outside, size = mode["ids"]
        namespaces.append("user")
        config["uidMappings"] = [{"containerID": inside, "hostID": outside, "size": size}]
        config["gidMappings"] = config["uidMappings"]
    if mode.get("masked"):
        config["maskedPaths"] = [f"/proc/{name}" for name in MASKED] + ["/sys/firmware"]
        config["readonlyPaths"] = [f"/proc/{name}" for name in READ_ONLY]
    return config | {"namespaces": [{"type": kind} for kind in namespaces]}


def process(mode, command):
    uid = mode.get("uid", 0)
    caps = [f"CAP_{name}" for name in mode["caps"]]
    config = {
        "args": command,
        "cwd": "/tmp",
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "user": {"uid": uid, "gid": uid},
        "capabilities": {kind: caps for kind in ("bounding", "effective", "permitted")},
        "noNewPrivileges": mode.get("no_new_privs", False),
    }
    if "processes" in mode:
        n = int(mode["processes"])
        config["rlimits"] = [{"type": "RLIMIT_NPROC", "soft": n, "hard": n}]
    return config


def main(directory, words, *command):
    bundle = Path(directory)
    name, *changes = words.split(",")
    mode = dict(MODES[name])
    for text in changes:
        change(mode, text)
    rootfs = bundle / "rootfs"
    rootfs.mkdir()
    mounts = [*file_systems(), *system(rootfs), *cgroups(mode.get("cgroups")), *more_dirs()]
    if "knob" in mode:
        mounts.append(knob(bundle, *mode["knob"].split(":")))
    for target in mounts:
        if not target["destination"].startswith(("/proc/", "/dev/", "/sys/")):
            (rootfs / target["destination"][1:]).mkdir(parents=True, exist_ok=True)
    config = {
        "ociVersion": "1.0.2",
        "process": process(mode, command),
        "root": {"path": "rootfs", "readonly": True},
        "mounts": mounts,
        "linux": linux(mode),
    }
    (bundle / "config.json").write_text(json.dumps(config, indent=4) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
