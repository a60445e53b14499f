# shellcheck shell=bash disable=SC2034,SC2154 # scripts/runtime sets and uses them
# A Spark standalone cluster on loopback: master, workers, the Connect server as its one application, the history server.
# Its event log stays in $runtime_dir/spark/events over down and up; everything else there is scratch.

# workers lists those that are wanted, and those that an `up` with other settings has left.
workers() {
  local i=2
  echo spark-worker
  while [ "$i" -le "$spark_workers" ] 2>/dev/null || [ -f "$run_dir/spark-worker-$i" ]; do
    echo "spark-worker-$i"
    i=$((i + 1))
  done
}

# worker_ui_port NAME: the second worker's comes after the first's, and so on.
worker_ui_port() {
  if [ "$1" = spark-worker ] || ! [[ $spark_worker_ui_port =~ ^[0-9]+$ ]]; then
    echo "$spark_worker_ui_port"
  else
    echo $((spark_worker_ui_port + ${1##*-} - 1))
  fi
}

spark_services="spark-master $(workers | tr '\n' ' ')spark-connect spark-history"

start_spark() {
  local master=127.0.0.1:$spark_master_port worker
  configure_spark || return 1
  spark_environment
  alive spark-history || start_process spark-history "-" "http://127.0.0.1:$spark_history_port" \
    "$spark_home/bin/spark-class" org.apache.spark.deploy.history.HistoryServer
  alive spark-master || start_process spark-master "$master" "http://127.0.0.1:$spark_master_ui_port" \
    "$spark_home/bin/spark-class" org.apache.spark.deploy.master.Master \
    --host 127.0.0.1 --port "$spark_master_port" --webui-port "$spark_master_ui_port"
  wait_until spark-master 120 "it listens on its port" process_listens spark-master || return 1
  for worker in $(workers); do
    alive "$worker" || start_process "$worker" "-" "http://127.0.0.1:$(worker_ui_port "$worker")" \
      "$spark_home/bin/spark-class" org.apache.spark.deploy.worker.Worker \
      --host 127.0.0.1 --webui-port "$(worker_ui_port "$worker")" --cores "$spark_cores" --memory "$spark_memory" --work-dir "$runtime_dir/spark/work" "spark://$master"
  done
  # Spark starts its Connect server as a daemon, with a daemon's memory and options in place of spark.driver.memory: it is the driver.
  alive spark-connect || SPARK_DAEMON_MEMORY=$spark_driver_memory SPARK_DAEMON_JAVA_OPTS='' \
    start_process spark-connect "127.0.0.1:$spark_connect_port" "http://127.0.0.1:$spark_app_ui_port" \
    "$spark_home/bin/spark-submit" --class org.apache.spark.sql.connect.service.SparkConnectServer --name cartwheel
  for worker in $(workers); do wait_until "$worker" 120 "the master counts all workers as alive" workers_are_alive || return 1; done
  wait_until spark-connect 120 "it says that it has started" connect_has_started || return 1
  wait_until spark-connect 120 "the master gave it an executor of each worker" connect_has_executors || return 1
  wait_until spark-history 120 "it listens on its port" process_listens spark-history
}

# stop_orphans: a worker and an application do not outlive their master for long; a new master wants new ones.
# shellcheck disable=SC2046
stop_orphans() { alive spark-master || stop_processes spark-connect $(workers); }

workers_are_alive() { master_says "\"aliveworkers\" : $(workers | wc -l | tr -d ' '),"; }

connect_has_started() { process_listens spark-connect && grep -q 'Spark Connect server started at' "$log_dir/spark-connect.log"; }

# connect_has_executors: an application without one waits for ever when it is given something to do, and with fewer than there are
# workers it would do its work with less than it was given.
connect_has_executors() {
  master_says '"state" : "RUNNING"' &&
    master_json | awk '/^  "cores" :/ { cores = $3 + 0 } /^  "coresused" :/ { used = $3 + 0 } END { exit !(cores > 0 && used == cores) }'
}

master_says() { master_json | grep -q "$1"; }

master_json() {
  local ui
  ui=$(recorded spark-master ui) && http_get "${ui##*:}" /json/
}

# configure_spark writes what all of Spark's programs read, and clears the scratch of a cluster that has ended.
configure_spark() {
  local dir=$runtime_dir/spark partitions=$((spark_workers * spark_cores * 2))
  if ! alive spark-master; then rm -rf "$dir/work" "$dir/local" "$dir/tmp"; fi
  mkdir -p "$dir/conf" "$dir/events" "$dir/work" "$dir/local" "$dir/tmp" || return 1
  # The deep stack is for ALS: each iteration lengthens what a task has to unpack, and from about twenty on the usual stack is too small.
  cat >"$dir/conf/spark-defaults.conf" <<CONF
spark.master                         spark://127.0.0.1:$spark_master_port
spark.driver.host                    127.0.0.1
spark.driver.bindAddress             127.0.0.1
spark.port.maxRetries                0
spark.master.rest.enabled            false
spark.ui.port                        $spark_app_ui_port
spark.connect.grpc.binding.address   127.0.0.1
spark.connect.grpc.binding.port      $spark_connect_port
spark.driver.memory                  $spark_driver_memory
spark.executor.memory                $spark_memory
spark.driver.extraJavaOptions        -Djava.io.tmpdir=$dir/tmp -Xss16m
spark.executor.extraJavaOptions      -Djava.io.tmpdir=$dir/tmp -Xss16m
spark.executorEnv.OPENBLAS_NUM_THREADS 1
spark.sql.warehouse.dir              file:$dir/warehouse
spark.sql.catalogImplementation      in-memory
spark.sql.session.timeZone           UTC
spark.sql.shuffle.partitions         $partitions
spark.default.parallelism            $partitions
spark.eventLog.enabled               true
spark.eventLog.dir                   file:$dir/events
spark.history.fs.logDirectory        file:$dir/events
spark.history.fs.cleaner.enabled     true
spark.history.ui.port                $spark_history_port
CONF
  # Each command of a training would be hundreds of lines at INFO; the event log has it all.
  cat >"$dir/conf/log4j2.properties" <<CONF
appender.out.type=Console
appender.out.name=out
appender.out.target=SYSTEM_ERR
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n%ex
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.deploy.name=org.apache.spark.deploy
logger.deploy.level=info
logger.connect.name=org.apache.spark.sql.connect.service.SparkConnectServer
logger.connect.level=info
CONF
}

# spark_environment holds what Spark reads from the environment, and nothing that the caller had set for another Spark:
# SPARK_REMOTE would turn the Connect server into a client, SPARK_MASTER is taken for an rsync source.
spark_environment() {
  local variable
  for variable in ${!SPARK_@}; do unset "$variable"; done
  export SPARK_HOME=$spark_home SPARK_CONF_DIR=$runtime_dir/spark/conf SPARK_LOCAL_IP=127.0.0.1
  export SPARK_LOCAL_DIRS=$runtime_dir/spark/local SPARK_DAEMON_MEMORY=512m
  # Master, worker and history do little: a JVM made for short work starts them sooner and leaves the cores to the rest.
  export SPARK_DAEMON_JAVA_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.io.tmpdir=$runtime_dir/spark/tmp"
  export SPARK_LAUNCHER_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
  export OPENBLAS_NUM_THREADS=1
}
