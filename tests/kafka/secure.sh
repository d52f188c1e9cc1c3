# Sourced by tests/kafka/broker: what a broker with TLS, SASL and access rights has on top.
#
# DIR/secure has ca.pem, other-ca.pem (which signed nothing here), for each of secure_users NAME.pem
# and NAME.key (a client's certificate and key) and NAME.password, expired.pem and expired.key.
# shellcheck shell=bash

# The principals of deploy/kafka/acls.sh.
secure_users=(scenesync-worker scenesync-producer scenesync-reader scenesync-verifier
    scenesync-operator scenesync-monitor)
secure_new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
secure_dir= # of the broker's that is at hand; set by its caller

# A certificate by our authority. DAYS of 0: one that is over when the next second begins.
secure_sign() { # NAME SUBJECT DAYS [SUBJECT-ALTERNATIVE-NAME]
    openssl req "${secure_new_key[@]}" -keyout "$secure_dir/$1.key" -subj "$2" 2>/dev/null |
        openssl x509 -req -CA "$secure_dir/ca.pem" -CAkey "$secure_dir/ca.key" -CAcreateserial \
            -days "$3" -out "$secure_dir/$1.pem" \
            -extfile <(echo "subjectAltName=${4:-DNS:client}") 2>/dev/null
}

# Kafka reads a key and its certificates out of one file.
secure_join() { # NAME
    cat "$secure_dir/$1.key" "$secure_dir/$1.pem" "$secure_dir/ca.pem" >"$secure_dir/$1.store.pem"
}

secure_make_credentials() {
    local name
    mkdir -p "$secure_dir"
    chmod 700 "$secure_dir"
    for name in ca other-ca; do
        openssl req -x509 "${secure_new_key[@]}" -keyout "$secure_dir/$name.key" -days 2 \
            -out "$secure_dir/$name.pem" -subj "/CN=scenesync tests, $name" 2>/dev/null
    done
    # For one name only, so that 127.0.0.1 is a wrong one.
    secure_sign broker /CN=broker 2 DNS:localhost
    secure_sign broker-expired /CN=broker 0 DNS:localhost
    secure_sign expired /CN=scenesync-worker 0
    secure_join broker
    secure_join broker-expired
    for name in "${secure_users[@]}"; do
        secure_sign "$name" "/CN=$name" 2
        head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$secure_dir/$name.password"
    done
}

secure_user_options() {
    local name
    for name in "${secure_users[@]}"; do
        printf 'user_%s="%s" ' "$name" "$(<"$secure_dir/$name.password")"
    done
}

# Arguments of the storage tool, one a line.
secure_format_arguments() {
    local name mechanism
    for name in "${secure_users[@]}"; do
        for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
            printf -- '--add-scram\n%s=[name=%s,password=%s]\n' "$mechanism" "$name" \
                "$(<"$secure_dir/$name.password")"
        done
    done
}

# The listener without a password is for administrators: the tests, and the broker itself.
secure_properties() { # SASL-PORT MTLS-PORT EXPIRED-PORT
    local scram=org.apache.kafka.common.security.scram.ScramLoginModule
    local plain=org.apache.kafka.common.security.plain.PlainLoginModule
    cat <<PROPERTIES

authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location=$secure_dir/broker.store.pem
ssl.truststore.type=PEM
ssl.truststore.location=$secure_dir/ca.pem
ssl.principal.mapping.rules=RULE:^CN=([^,]+).*\$/\$1/,DEFAULT
listener.name.sasl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=$plain required $(secure_user_options);
listener.name.sasl.scram-sha-256.sasl.jaas.config=$scram required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=$scram required;
listener.name.mtls.ssl.client.auth=required
listener.name.expired.ssl.keystore.type=PEM
listener.name.expired.ssl.keystore.location=$secure_dir/broker-expired.store.pem
PROPERTIES
    echo "localhost:$1" >"$secure_dir/sasl"
    echo "localhost:$2" >"$secure_dir/mtls"
    echo "localhost:$3" >"$secure_dir/expired"
}
