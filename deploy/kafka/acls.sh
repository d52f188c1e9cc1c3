#!/bin/bash
# The rights of everybody who has to do with scenesync's topics, and no more. All names are variables
# of the environment:
#
#     deploy/kafka/acls.sh --bootstrap-server kafka-1:9093 --command-config admin.properties
#
# Every argument goes to kafka-acls.sh, which KAFKA_ACLS names where it is not on the PATH. It adds
# rules and takes none away, so that it may run again. DRY_RUN=1 prints the commands instead.
set -euo pipefail

# Who. A principal that is set to nothing gets nothing.
worker=${WORKER-User:scenesync-worker}       # scenesync worker
producer=${PRODUCER-User:scenesync-producer} # gateways; scenesync produce
reader=${READER-User:scenesync-reader}       # gateways; scenesync results
verifier=${VERIFIER-User:scenesync-verifier} # scenesync verify
operator=${OPERATOR-User:scenesync-operator} # who looks at dead letters, and sends them again
monitor=${MONITOR-User:scenesync-monitor}    # exporters of lag

# On what: as kafka.group.id and topics.* are set.
group=${GROUP:-scenesync}
ops=${OPS:-scene.ops}
retry_prefix=${RETRY_PREFIX:-scene.ops.retry-}
results=${RESULTS:-scene.results}
dead_letter=${DEAD_LETTER:-scene.ops.dlq}

kafka_acls=${KAFKA_ACLS:-kafka-acls.sh}
arguments=("$@")

allow() { # PRINCIPAL ARGUMENTS...
    local principal=$1
    shift
    [[ -n $principal ]] || return 0
    local command=("$kafka_acls" "${arguments[@]}" --add --allow-principal "$principal" "$@")
    if [[ -n ${DRY_RUN:-} ]]; then
        printf '%q ' "${command[@]}" && echo
    else
        "${command[@]}"
    fi
}

# READ of the group is for its membership and its offsets. WRITE takes the idempotent producer along.
allow "$worker" --operation Read --topic "$ops" --group "$group"
allow "$worker" --operation Read --operation Write --topic "$retry_prefix" \
    --resource-pattern-type prefixed
allow "$worker" --operation Write --topic "$results" --topic "$dead_letter"

allow "$producer" --operation Write --topic "$ops"
allow "$reader" --operation Read --topic "$results"

allow "$verifier" --operation Read --topic "$ops" --topic "$results"
allow "$verifier" --operation Read --topic "$retry_prefix" --resource-pattern-type prefixed

allow "$operator" --operation Read --topic "$dead_letter"
allow "$operator" --operation Write --topic "$ops"

allow "$monitor" --operation Describe --topic "$ops" --group "$group"
allow "$monitor" --operation Describe --topic "$retry_prefix" --resource-pattern-type prefixed
