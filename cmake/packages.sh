# Sourced by check, demo and benchmarks/run: installs the Debian packages that are missing, as root or with sudo.
# Asks apt only when something is missing, and starts no service: what is installed is for the build and the tests.

build_packages=(g++ cmake ninja-build ccache pkg-config libhiredis-dev libyaml-cpp-dev nlohmann-json3-dev libssl-dev
  libsimdjson-dev libeigen3-dev libcpp-httplib-dev libspdlog-dev prometheus-cpp-dev libcli11-dev)
# What Canopy's page loads from its server.
page_packages=(libjs-chart.js)
# Peers that benchmarks/run compares with; ./check needs none of them.
benchmark_packages=(librocksdb-dev libtbb-dev)
test_packages=(catch2 clang clang-format clang-tidy redis-server redis-tools python3 python3-redis valgrind
  chromium chromium-driver tmux man-db)

missing_packages() {
  local name
  for name; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null) == installed ]] || echo "$name"
  done
}

as_root() {
  if [[ $EUID == 0 ]]; then "$@"; else sudo "$@"; fi
}

# invoke-rc.d asks this file whether a package may start its service; 101 says no. An existing file is left alone.
forbid_service_starts() {
  [[ ! -e /usr/sbin/policy-rc.d ]] || return 1
  printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
  as_root chmod +x /usr/sbin/policy-rc.d
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

ensure_packages() {
  local missing forbidden=no result
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian. Needed, under the names they have there: $*"
    return 0
  fi
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -gt 0 ]] || return 0
  if [[ $EUID != 0 ]] && ! command -v sudo >/dev/null; then
    echo "These packages are missing, and there is no sudo to install them with: ${missing[*]}"
    return 1
  fi
  forbid_service_starts && forbidden=yes
  apt_install "${missing[@]}"
  result=$?
  [[ $forbidden == no ]] || as_root rm -f /usr/sbin/policy-rc.d
  # Nor is one to start at the next boot because we installed it.
  if [[ " ${missing[*]} " == *" redis-server "* ]] && command -v systemctl >/dev/null; then
    as_root systemctl disable redis-server >/dev/null 2>&1
  fi
  return $result
}
