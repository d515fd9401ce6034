//! Limits and figures that had to do without the best way: bits of [`super::Outcome::missing`].

/// No memory cgroup: RLIMIT_AS of each process and looks at the whole stand in.
pub const MEMORY: u32 = 1;
/// No pids cgroup: RLIMIT_NPROC of the user stands in, and peak and hits are unknown or sampled.
pub const PROCESSES: u32 = 2;
/// No cgroup counts CPU time: looks at the living processes stand in.
pub const CPU: u32 = 4;
/// No cpu cgroup: the quota is not enforced.
pub const QUOTA: u32 = 8;
/// Neither a cgroup nor a pid namespace holds the processes together: a daemon that the program made is found by its
/// inherited limits only.
pub const TREE: u32 = 16;

/// Every bit with its name.
pub(crate) const NAMES: [(u32, &std::ffi::CStr); 5] = [
    (MEMORY, c"memory"),
    (PROCESSES, c"processes"),
    (CPU, c"CPU time"),
    (QUOTA, c"CPU quota"),
    (TREE, c"tree"),
];
