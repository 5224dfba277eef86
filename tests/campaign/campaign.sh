#!/bin/bash
# SPDX-License-Identifier: MIT
# tools/campaign with a real Slurm: munged, slurmctld and two slurmd on this host, in namespaces of their own, so that no
# port is open on it and nothing is left. TAP. usage: campaign.sh CAMPAIGN GNOMON
# What is protected: each host has one task, each result its node's label; what failed is said and done once more, and
# nothing else; results are compared.
set -uo pipefail
campaign=$(realpath "$1") gnomon=$(realpath "$2")

skip() { echo "1..0 # SKIP $1"; exit 0; }
if [ "${3-}" != --inside ]; then
	for tool in munged slurmctld slurmd sbatch; do
		PATH=$PATH:/usr/sbin command -v $tool >/dev/null || skip "Slurm is not installed: no $tool"
	done
	[ "$(id -u)" = 0 ] || skip "slurmd needs root"
	command -v ip >/dev/null || skip "iproute2 is not installed"
	unshare --net --mount --pid --uts --fork true 2>/dev/null || skip "may not make namespaces"
	exec unshare --net --mount --pid --uts --fork --kill-child --mount-proc "$0" "$campaign" "$gnomon" --inside
fi
PATH=$PATH:/usr/sbin
# shellcheck source=tests/tool_tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tool_tap.sh"
chmod 755 "$work"
export SLURM_CONF=$work/slurm.conf

run() { ends "$1" "$campaign" "${@:2}"; } # run STATUS ARG...
prints() { grep -q -- "$1" "$work/out"; }

# ---- a Slurm ----
start_slurm() {
	ip link set lo up
	ip address add 192.0.2.1/32 dev lo # with none but 127.0.0.1 the C library looks up no address at all
	hostname localhost
	mkdir -p "$work"/{munge,state,spool-n1,spool-n2}
	chmod 700 "$work/munge"
	dd if=/dev/urandom of="$work/munge/key" bs=1 count=1024 status=none
	chmod 400 "$work/munge/key"
	munged --force --key-file="$work/munge/key" --socket="$work/munge/socket" --pid-file="$work/munge/pid" \
		--log-file="$work/munge/log" --seed-file="$work/munge/seed" || return
	cat >"$SLURM_CONF" <<-CONF
		ClusterName=gnomon
		SlurmctldHost=localhost(127.0.0.1)
		SlurmUser=root
		AuthInfo=socket=$work/munge/socket
		CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		SelectType=select/linear
		SwitchType=switch/none
		MpiDefault=none
		ReturnToService=2
		KillWait=1
		SchedulerParameters=batch_sched_delay=0,sched_interval=1
		SlurmdParameters=config_overrides
		StateSaveLocation=$work/state
		SlurmdSpoolDir=$work/spool-%n
		SlurmctldLogFile=$work/slurmctld.log
		SlurmdLogFile=$work/slurmd-%n.log
		SlurmctldPidFile=$work/slurmctld.pid
		SlurmdPidFile=$work/slurmd-%n.pid
		NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=17101
		NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=17102
		PartitionName=all Nodes=ALL Default=YES State=UP
	CONF
	slurmctld && slurmd -N n1 && slurmd -N n2 || return
	for _ in $(seq 1500); do
		[ "$(sinfo -h -o %T -n n1,n2 2>/dev/null | sort -u)" = idle ] && return
		sleep 0.2
	done
	sinfo >&2
	return 1
}
start_slurm >"$work/out" 2>"$work/err"
ok "munged, slurmctld and two slurmd" [ $? = 0 ]
[ $failed = 0 ] || { cat "$work"/*.log | tail -n 20 | sed 's/^/# /'; echo "1..$tests"; exit 1; }

# Limits below are for what hangs: they hold on a busy host.
shows() { # shows STATUS TEXT ARG...: sooner or later
	for _ in $(seq 1000); do
		run "$1" "${@:3}" && prints "$2" && return
		sleep 0.2
	done
	return 1
}
run_without_slurm() {
	mkdir "$work/bin" && ln -s /usr/bin/python3 "$work/bin/" || return
	PATH=$work/bin run 1 submit "$work/z" --hosts 1 --gnomon "$work/gnomon"
}
ended() { # until Slurm has none of its tasks
	for _ in $(seq 3000); do
		[ -z "$(squeue -h 2>/dev/null)" ] && return
		sleep 0.2
	done
	return 1
}
both_say() { # TEXT DIR: the logs of both tasks, sooner or later
	for _ in $(seq 1000); do
		[ "$(grep -l "$1" "$2"/logs/[01] 2>/dev/null | wc -l)" = 2 ] && return
		sleep 0.2
	done
	return 1
}

# In the place of gnomon: writes what it was asked for; fails once where it is told to.
cat >"$work/gnomon" <<'SCRIPT'
#!/bin/bash
[ "$1" != compare ] || { shift; for file; do [ -f "$file" ] && cat "$file" || echo "option $file"; done; exit 3; }
[ "${*: -1}" != --list ] || case $* in *nosuch*) echo "there is no nosuch" >&2; exit 2 ;; *) exit 0 ;; esac
while [ $# -gt 0 ]; do
	case $1 in --label) label=$2 ;; --json) json=$2 ;; --only) only=$2 ;; esac
	shift
done
[ ! -e "$STAY" ] || { echo "round 1 of 7"; [ "$label" = n2 ] || kill -9 $PPID; sleep 100000; }
[ ! -e "$FAIL_ONCE" ] || { rm "$FAIL_ONCE"; echo "the benchmark broke" >&2; exit 1; }
echo "{\"result\": \"$label $only of ${SETTING-nothing}\"}" >"$json"
SCRIPT
chmod 755 "$work/gnomon"
export FAIL_ONCE=$work/fail-once STAY=$work/stay

# ---- hosts ----
ok "two hosts" run 0 submit "$work/hosts" --hosts 2 --gnomon "$work/gnomon" -- --only miss
ok "they end" ended
ok "each is done" run 0 status "$work/hosts"
ok "on a node each" [ "$(awk '{ print $3 }' "$work/out" | sort | tr '\n' ' ')" = "n1 n2 " ]
ok "their results are compared, and it is compare's status" run 3 collect "$work/hosts"
ok "compare is given options" run 3 collect "$work/hosts" -- --threshold 2
ok "those behind --" prints "^option --threshold"
ok "what gnomon bench refuses is not submitted" both run 2 submit "$work/no" --hosts 2 --gnomon "$work/gnomon" -- --only nosuch "there is no nosuch"
ok "and leaves no campaign" [ ! -e "$work/no" ]
ok "options are compare's behind -- alone" both run 2 collect "$work/hosts" --threshold 2 "nothing else before --"
ok "their results are compared" run 3 collect "$work/hosts"
ok "each has its node's label" prints "result.: .n1 miss of nothing"
ok "and the other's" prints "result.: .n2 miss of nothing"
ok "nothing is to be done once more" run 0 resume "$work/hosts"
ok "it says so" prints "nothing failed"
: >"$work/hosts/results/1.json"
ok "a result that is cut short" run 1 status "$work/hosts"
ok "has failed, and is named" prints "n[12] .*failed: .*results/1.json is cut short"
ok "it is not compared" both run 1 collect "$work/hosts" "1 of 2 tasks are done"
ok "it is done once more" run 0 resume "$work/hosts"
ok "and nothing else" prints ": 1 task$"
ok "it ends" ended
ok "and is done" run 0 status "$work/hosts"
ok "by the same node: the other has its own" [ "$(awk '{ print $3 }' "$work/out" | sort | tr '\n' ' ')" = "n1 n2 " ]
touch "$STAY"
ok "two that stay" run 0 submit "$work/ends" --hosts 2 --gnomon "$work/gnomon"
ok "one says what it does" shows 1 "n1 .*failed" status "$work/ends"
ok "the other is at work, too" both_say "round 1 of 7" "$work/ends"
scancel --user=root
ok "they end" ended
ok "one was killed" shows 1 "n1 .*failed: it was killed.*; it said last: round 1 of 7" status "$work/ends"
ok "and one cancelled" prints "n2 .*failed: JOB .* CANCELLED .*; it said last: round 1 of 7"
scontrol update nodename=n2 state=drain reason=test
ok "one of them has no node" run 0 resume "$work/ends"
ok "it says what it waits for" shows 1 "waiting (ReqNodeNotAvail\|waiting (Resources\|waiting (Nodes" status "$work/ends"
scancel --user=root; rm "$STAY"; scontrol update nodename=n2 state=resume
ok "they end" ended
ok "a task that was cancelled before it began" shows 1 "- .*failed: it never began: it was cancelled" status "$work/ends"
ok "more hosts than there are, and a limit: those that have one say so" run 0 submit "$work/many" --hosts 3 --wait 3 \
	--gnomon "$work/gnomon"
ok "they end" ended
ok "that failed" run 1 status "$work/many"
ok "with the reason" prints "not all tasks have a node of their own after 3 s"

# ---- settings, and what fails ----
cat >"$work/settings" <<'SETTINGS'
# two of a module
ept=1: echo one >"$CAMPAIGN_TEST"; true
broken: echo "no such module" >&2; false
ept=0:
SETTINGS
export CAMPAIGN_TEST=$work/before SETTING=something
touch "$FAIL_ONCE"
ok "three settings" run 0 submit "$work/set" --settings "$work/settings" --gnomon "$work/gnomon" --sbatch --nodelist=n1
ok "they end" ended
ok "not all are done" run 1 status "$work/set"
ok "a benchmark that broke has failed, with what it said" prints "ept=1 .*failed: gnomon bench ended with 1: the benchmark broke"
ok "a command that failed, too" prints "broken .*failed: the command of broken ended with 1: no such module"
ok "the third is done" prints "ept=0 .*n1 .*done"
ok "a command ran before the benchmark" [ "$(cat "$work/before")" = one ]
ok "one result is nothing to compare" both run 1 collect "$work/set" "nothing to compare .*results/2.json with"
ok "what failed is submitted once more" run 0 resume "$work/set"
ok "and nothing else" prints ": 2 tasks"
ok "they end" ended
ok "the command fails again" run 1 status "$work/set"
ok "the other is done" prints "ept=1 .*done"
ok "two of three are compared, and one lacks" both run 3 collect "$work/set" "2 of 3 tasks are done"
ok "a label has the setting" prints "result.: .ept=1@n1 "

# ---- with the program itself ----
if [ -w /dev/kvm ]; then
	printf 'one:\ntwo:\n' >"$work/settings"
	ok "gnomon bench" run 0 submit "$work/real" --settings "$work/settings" --gnomon "$gnomon" -- --only startup --runs 1
	ok "they end" ended
	ok "both are done" run 0 status "$work/real"
	ok "their labels are in the results" [ "$(grep -h '"label": "\(one\|two\)@n[12]"' "$work"/real/results/*.json | wc -l)" = 2 ]
fi

# ---- what cannot be ----
ok "a directory that is there" both run 2 submit "$work/set" --hosts 1 --gnomon "$work/gnomon" "there already"
ok "no program" both run 2 submit "$work/x" --hosts 1 --gnomon /nope "cannot be executed"
ok "neither hosts nor settings" both run 2 submit "$work/x" "wants --hosts or --settings"
ok "both" both run 2 submit "$work/x" --hosts 1 --settings "$work/settings" "or --settings, and once"
ok "no number of hosts" both run 2 submit "$work/x" --hosts 0 "not a number"
echo "no name" >"$work/bad"
ok "a line that is no setting" both run 2 submit "$work/x" --settings "$work/bad" "line 1 is not"
printf 'a:\na:\n' >"$work/bad"
ok "two settings of a name" both run 2 submit "$work/x" --settings "$work/bad" "line 2: a second a"
ok "results elsewhere" both run 2 submit "$work/x" --hosts 1 --gnomon "$work/gnomon" -- --json y "not for a campaign"
ok "none of them made a directory" [ ! -e "$work/x" ]
ok "no campaign" both run 2 status "$work" "is no campaign"
echo '{"format": 99}' >"$work/many/campaign.json"
ok "of another version" both run 1 status "$work/many" "another version"
ok "what Slurm refuses" both run 1 submit "$work/y" --hosts 1 --gnomon "$work/gnomon" --sbatch --partition=none "sbatch refused"
ok "and leaves no campaign" [ ! -e "$work/y" ]
ok "no Slurm" both run_without_slurm "sbatch: Slurm's commands are not installed"
rm "$work/hosts/results/1.json"
: >"$work/empty"
export SLURM_CONF=$work/empty # a file that is not there is looked for for a minute
ok "a Slurm that does not answer" both run 1 resume "$work/hosts" "Slurm does not answer"
ok "and status says so" run 1 status "$work/hosts"
ok "of the task that it does not know of" prints "unknown: Slurm does not answer"
echo "1..$tests"
exit $failed
