# shellcheck shell=bash disable=SC2034,SC2154 # scripts/runtime sets and uses them
# How much of this machine Spark gets. On 8 GB it is an executor of 2 GB and a driver of 1 GB, beside Kafka's 1 GB and three
# small daemons; on 24 GB it is 6 GB and 3 GB.

cores_of_machine() { nproc 2>/dev/null || sysctl -n hw.ncpu; }

# memory_of_machine is in MiB; in a container it is the container's.
memory_of_machine() {
  local total limit
  if [ -r /proc/meminfo ]; then
    total=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
  else
    total=$(($(sysctl -n hw.memsize) / 1024 / 1024))
  fi
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
  if [[ $limit =~ ^[0-9]+$ ]] && [ "$((limit / 1024 / 1024))" -lt "$total" ]; then total=$((limit / 1024 / 1024)); fi
  echo "$total"
}

# between LOW HIGH VALUE
between() { echo "$(($3 < $1 ? $1 : $3 > $2 ? $2 : $3))"; }

spark_workers=${RUNTIME_SPARK_WORKERS:-1}

# for_each_worker HOW_MUCH is a worker's share. A number of workers that is none is told later, with every other wrong setting.
for_each_worker() { if [[ $spark_workers =~ ^[1-9][0-9]?$ ]]; then echo "$(($1 / spark_workers))"; else echo "$1"; fi; }

spark_cores=${RUNTIME_SPARK_CORES:-$(between 1 9999 "$(for_each_worker "$(cores_of_machine)")")}
spark_memory=${RUNTIME_SPARK_MEMORY:-$(between 1024 16384 "$(for_each_worker "$(($(memory_of_machine) / 4))")")m}
spark_driver_memory=$(between 1024 4096 "$(($(memory_of_machine) / 8))")m
