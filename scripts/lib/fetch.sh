# shellcheck shell=bash disable=SC2034,SC2154 # scripts/runtime sets and uses them
# What the runtime needs before it can start: Java, and the pinned distributions of Kafka and Spark in $cache.
# A distribution is unpacked under another name and renamed when it is whole: a folder that bears its name is complete.

spark_version=4.1.2
spark_sha256=fa5d6159f700d0990a07f4f62df1b7449401dccee9cd7d5d6df8957530841602 # of pyspark-4.1.2.tar.gz
kafka_version=4.1.1
kafka_sha256=b0aaa08a4138f80aed9b09ae586ae2ad6bf3b2183852b3a8fd3173ffc4c6ca19 # of the sorted list of `sha256sum *.jar`

spark_home=$cache/spark-$spark_version
kafka_home=$cache/kafka-$kafka_version

# fetch_all brings java and the distributions of the named groups (kafka, spark) onto this machine.
fetch_all() {
  local group
  mkdir -p "$cache" || die "creating $cache: set RUNTIME_CACHE to a folder that you may write to"
  exec 8>>"$cache/lock"
  lock_fd 8 "$cache/lock"
  require_java
  for group in "$@"; do "fetch_$group"; done
  case " $* " in *" spark "*) want_openblas ;; esac
  exec 8>&-
}

fetch_kafka() {
  [ ! -d "$kafka_home" ] || return 0
  require mvn maven maven "to fetch Kafka $kafka_version"
  say "fetching Kafka $kafka_version (54 MB) into $kafka_home"
  retry "fetching Kafka $kafka_version with Maven" download_kafka
}

download_kafka() {
  local part=$cache/.kafka-$kafka_version.part sum
  rm -rf "$part" && mkdir -p "$part/libs" || return 1
  # kafka.Kafka logs through log4j, which Kafka's own dependencies do not bring.
  cat >"$part/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>cartwheel</groupId>
  <artifactId>kafka-runtime</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$kafka_version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
  # A repository of its own: a jar that was broken in the user's would be broken at every retry.
  mvn -q -B -C -Dstyle.color=never -f "$part/pom.xml" -Dmaven.repo.local="$part/m2" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$part/libs" >&2 || return 1
  sum=$(cd "$part/libs" && sha256_lines -- *.jar | LC_ALL=C sort | sha256_lines | cut -d" " -f1) || return 1
  if [ "$sum" != "$kafka_sha256" ]; then
    say "the jars that Maven brought are not those of Kafka $kafka_version (SHA-256 of their list: $sum, expected $kafka_sha256)"
    return 1
  fi
  rm -rf "$part/m2" && mv "$part" "$kafka_home"
}

fetch_spark() {
  [ ! -d "$spark_home" ] || return 0
  retry "fetching Spark $spark_version with pip" download_spark
}

# download_spark takes an archive that lies in the cache already, if it is the right one.
download_spark() {
  local archive=$cache/pyspark-$spark_version.tar.gz part=$cache/.spark-$spark_version.part folder=pyspark-$spark_version/deps
  rm -rf "$part" && mkdir -p "$part/pip" || return 1
  if [ -f "$archive" ] && [ "$(sha256 "$archive")" != "$spark_sha256" ]; then
    say "$archive is broken (its SHA-256 is not $spark_sha256): fetching it again"
    rm -f "$archive"
  fi
  if [ ! -f "$archive" ]; then
    require_pip
    say "fetching Spark $spark_version (435 MB, from PyPI's pyspark, which holds the whole distribution) into $spark_home"
    python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps \
      "pyspark==$spark_version" -d "$part/pip" >&2 || return 1
    if [ "$(sha256 "$part/pip/${archive##*/}")" != "$spark_sha256" ]; then
      say "what pip brought is not pyspark-$spark_version.tar.gz with SHA-256 $spark_sha256"
      return 1
    fi
    mv "$part/pip/${archive##*/}" "$archive" || return 1
  fi
  say "unpacking Spark $spark_version"
  mkdir "$part/home" || return 1
  tar -xzf "$archive" -C "$part/home" --strip-components=2 "$folder/bin" "$folder/sbin" "$folder/jars" || return 1
  mv "$part/home" "$spark_home" && rm -rf "$part" "$archive"
}

retry() {
  local what=$1 try
  shift
  for try in 1 2 3; do
    if "$@"; then return; fi
    if [ "$try" -lt 3 ]; then
      say "$what: attempt $try of 3 did not work, trying again"
      sleep "$try"
    fi
  done
  die "$what: three attempts did not work. What went wrong is said above; nothing half-fetched is kept or used."
}

# sha256 prints the checksum of a file, and nothing if there is none.
sha256() { sha256_lines "$1" 2>/dev/null | cut -d' ' -f1; }

sha256_lines() {
  if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi
}

# --- Packages of the system ----------------------------------------------------------------------------------------------

# may_install: only root on a machine with apt-get is helped by itself; everybody else is told what to install.
may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
  say "installing $* with apt-get"
  (
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 ||
      { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"; } >&2
  )
}

# require COMMAND DEBIAN-PACKAGE BREW-FORMULA WHY
require() {
  command -v "$1" >/dev/null && return
  if may_install && apt_install "$2" && command -v "$1" >/dev/null; then return; fi
  die "$1 is needed $4, and is not there. Debian/Ubuntu: sudo apt-get install $2 · macOS: brew install $3"
}

require_pip() {
  require python3 python3 python "to fetch Spark $spark_version"
  python3 -m pip --version >/dev/null 2>&1 && return
  if may_install && apt_install python3-pip && python3 -m pip --version >/dev/null 2>&1; then return; fi
  die "python3 has no pip, which fetches Spark $spark_version. Debian/Ubuntu: sudo apt-get install python3-pip · macOS: brew install python"
}

# require_java sets JAVA_HOME to a Java 17 or newer.
require_java() {
  local package=openjdk-17-jdk-headless
  find_java && return
  if may_install; then
    # The package that there is depends on the release: 17 in Debian 12, 21 in Debian 13.
    apt-cache show "$package" >/dev/null 2>&1 || apt-get update -qq >&2 || true
    apt-cache show "$package" >/dev/null 2>&1 || package=openjdk-21-jdk-headless
    if apt_install "$package" && find_java; then return; fi
  fi
  die "Java 17 or newer is needed, and ${java_found:-there is none (neither in JAVA_HOME nor in PATH)}." \
    "Debian/Ubuntu: sudo apt-get install $package · macOS: brew install openjdk@17 · or set JAVA_HOME"
}

find_java() {
  local java properties version
  java_found=''
  for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(command -v java || true)" {/opt/homebrew,/usr/local}/opt/openjdk{@17,@21,}/bin/java; do
    [ -x "$java" ] || continue
    properties=$("$java" -XshowSettings:properties -version 2>&1) || continue # macOS has a java that only says it is none
    version=$(sed -n 's/^ *java.specification.version = //p' <<<"$properties")
    if [ "${version%%.*}" -ge 17 ] 2>/dev/null; then
      JAVA_HOME=$(sed -n 's/^ *java.home = //p' <<<"$properties")
      export JAVA_HOME
      return
    fi
    java_found="$java is version ${version:-unknown}"
  done
  return 1
}

# --- OpenBLAS ------------------------------------------------------------------------------------------------------------

# has_openblas: Spark's netlib loads libblas.so.3, and that it is OpenBLAS is what makes it fast.
has_openblas() {
  local lib
  for lib in /usr/lib/*/libblas.so.3 /usr/lib64/libblas.so.3 /usr/lib/libblas.so.3; do
    case $(readlink -f "$lib" 2>/dev/null) in *openblas*) return 0 ;; esac
  done
  return 1
}

# want_openblas tries once a cache to install it; training is only slower without.
want_openblas() {
  if has_openblas || ! may_install || [ -f "$cache/openblas-not-installed" ]; then return; fi
  apt_install libopenblas0-pthread || touch "$cache/openblas-not-installed"
}
