# A judge with librunner in Nomad, mode "root", by its docker driver: that cannot uncover /proc, which mode "user"
# needs for runs with a /proc of their own. docs/containers.md says what each line is for. The image is yours.
#
# The clients need, in their own configuration:
#   plugin "docker" {
#     config {
#       allow_caps = ["audit_write", "chown", "dac_override", "fowner", "fsetid", "kill", "mknod", "net_bind_service",
#                     "net_raw", "setfcap", "setgid", "setpcap", "setuid", "sys_chroot", "sys_admin"]
#     }
#   }
# and seccomp.json as /etc/librunner/seccomp.json. Start runs without CLONE_NEWUSER, or without runner_add_proc().

job "judge" {
  group "judge" {
    task "judge" {
      driver = "docker"

      config {
        image   = "judge:1"
        cap_add = ["sys_admin"]
        security_opt = [
          "seccomp=/etc/librunner/seccomp.json",
          "apparmor=unconfined", # docker-default refuses mounts
        ]
        init       = true # somebody has to reap what runs leave behind
        pids_limit = 512

        # The container's own cgroup, made writable for the judge and emptied of processes, so that it may give
        # controllers.
        entrypoint = ["sh", "-ec", <<-SCRIPT
          mount -o remount,bind,rw /sys/fs/cgroup
          mkdir -p /sys/fs/cgroup/host
          while read -r pid; do echo "$pid" >/sys/fs/cgroup/host/cgroup.procs; done </sys/fs/cgroup/cgroup.procs
          exec "$@"
          SCRIPT
        , "sh"]
        command = "judge"
      }

      resources {
        cores  = 2
        memory = 2048
      }
    }
  }
}
