# shellcheck shell=bash disable=SC2034,SC2154 # scripts/runtime sets and uses them
# One Kafka broker that is its own controller (KRaft), on loopback. Its data stays in $runtime_dir/kafka/data over down and up.

kafka_services="kafka"

start_kafka() {
  if ! alive kafka; then
    configure_kafka || return 1
    start_process kafka "127.0.0.1:$kafka_port" - \
      "$JAVA_HOME/bin/java" -Xms256m -Xmx1g -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
      "-Dlog4j2.configurationFile=$runtime_dir/kafka/log4j2.properties" \
      -cp "$kafka_home/libs/*" kafka.Kafka "$runtime_dir/kafka/server.properties"
  fi
  wait_until kafka 120 "it listens on its port" process_listens kafka || return 1
  create_topics
}

configure_kafka() {
  local dir=$runtime_dir/kafka
  mkdir -p "$dir" "$log_dir" || return 1
  cat >"$dir/server.properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$kafka_controller_port
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$kafka_port,CONTROLLER://127.0.0.1:$kafka_controller_port
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka_port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/data
auto.create.topics.enable=false
# 4 MiB, so that even a message that no event would fill can be stored and set aside.
message.max.bytes=4194304
replica.fetch.max.bytes=4194304
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
CONF
  cat >"$dir/log4j2.properties" <<CONF
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{yyyy-MM-dd HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
CONF
  # An admin's call that is answered late is worth waiting for; a broker that never answers is not.
  printf 'request.timeout.ms=15000\ndefault.api.timeout.ms=30000\n' >"$dir/admin.properties"
  [ -f "$dir/data/meta.properties" ] && return
  if ! kafka_tool kafka.tools.StorageTool format --ignore-formatted -t "$(cluster_id)" -c "$dir/server.properties" >"$log_dir/kafka-format.log" 2>&1; then
    say "error: formatting Kafka's data folder $dir/data did not work; $log_dir/kafka-format.log says:"
    tail -n 5 "$log_dir/kafka-format.log" | sed 's/^/    /' >&2
    return 1
  fi
}

# cluster_id is 16 random bytes as Kafka writes them; it begins with a letter, for a dash would be taken for an option.
cluster_id() { printf 'C%s' "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | cut -c2-22)"; }

# create_topics is also the proof that the broker answers: listing its topics is a call of its API.
create_topics() {
  local have log=$log_dir/kafka-topics.log wanted name partitions
  if ! have=$(topic_command --list 2>"$log"); then
    say "error: Kafka listens, but does not answer; $log says:"
    tail -n 5 "$log" | sed 's/^/    /' >&2
    return 1
  fi
  for wanted in retail.events.v1:6 retail.events.v1.dlq:1; do
    name=${wanted%:*} partitions=${wanted#*:}
    grep -qxF "$name" <<<"$have" && continue
    if ! topic_command --create --if-not-exists --topic "$name" --partitions "$partitions" --replication-factor 1 >"$log" 2>&1; then
      say "error: creating topic $name did not work; $log says:"
      tail -n 5 "$log" | sed 's/^/    /' >&2
      return 1
    fi
  done
}

topic_command() {
  kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(recorded kafka address)" --command-config "$runtime_dir/kafka/admin.properties" "$@"
}

# kafka_tool runs one of Kafka's short-lived programs; the options halve the time that its JVM takes to start.
kafka_tool() { "$JAVA_HOME/bin/java" -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$kafka_home/libs/*" "$@"; }
