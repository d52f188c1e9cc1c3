"""The demo's story (deploy/story), told by users of their own: what each may do is all that
deploy/kafka/acls.sh and deploy/redis/users.acl give them."""

import glob
import json
import os
import subprocess

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from stage import ROOT, expect, fail, ini, read, until

STORY = os.path.join(ROOT, "deploy", "story")
OPS, RESULTS, DEAD = "scene.ops", "scene.results", "scene.ops.dlq"
TOPICS = [OPS, "scene.ops.retry-1", "scene.ops.retry-2", "scene.ops.retry-3", RESULTS, DEAD]
PARTITIONS = 4


def secure(broker, name):
    return read(os.path.join(broker, "secure", name)).strip()


def by_password(broker, user, mechanism="PLAIN"):
    """kafka.* for a user of the SASL listener."""
    return {"bootstrap.servers": secure(broker, "sasl"), "security.protocol": "SASL_SSL",
            "sasl.mechanism": mechanism, "sasl.username": user,
            "sasl.password_file": os.path.join(broker, "secure", user + ".password"),
            "ssl.ca.location": os.path.join(broker, "secure", "ca.pem"),
            "consumer.session.timeout.ms": 6000}


def by_certificate(broker, user, listener="mtls"):
    folder = os.path.join(broker, "secure")
    return {"bootstrap.servers": secure(broker, listener), "security.protocol": "SSL",
            "ssl.ca.location": os.path.join(folder, "ca.pem"),
            "ssl.certificate.location": os.path.join(folder, user + ".pem"),
            "ssl.key.location": os.path.join(folder, user + ".key"),
            "consumer.session.timeout.ms": 6000}


def create_topics(broker):
    admin = AdminClient({"bootstrap.servers": read(os.path.join(broker, "bootstrap")).strip()})
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in TOPICS]).values():
        future.result()


def grant(stage, broker, **principals):
    """Runs deploy/kafka/acls.sh as it stands."""
    tool = stage.write("kafka-acls.sh", "#!/bin/bash\nexec %s tool %s \"$@\"\n" % (
        os.path.join(ROOT, "tests", "kafka", "broker"), "org.apache.kafka.tools.AclCommand"))
    os.chmod(tool, 0o755)
    stage.run(os.path.join(ROOT, "deploy", "kafka", "acls.sh"), "--bootstrap-server",
              read(os.path.join(broker, "bootstrap")).strip(),
              env=dict(os.environ, PATH=stage.directory + ":" + os.environ["PATH"], **principals))


def settings(stage, name, kafka, redis_user="scenesync", **sections):
    """A settings file. Nothing secret is in it."""
    return stage.write(name + ".ini", ini(dict(
        {"kafka": kafka, "redis": stage.redis_section(redis_user),
         "retry": {"initial_delay_ms": 400}, "http": {"listen": "127.0.0.1:0"}}, **sections)))


def start_worker(stage, name, kafka, **sections):
    return stage.start(name, stage.scenesync, "worker", "--config",
                       settings(stage, name, kafka, **sections))


def start_reader(stage, topic, kafka):
    """Everything on a topic, a line each."""
    path = settings(stage, "read-" + topic, kafka)
    return stage.start(topic, stage.scenesync, "results", "--config", path, "--topic", topic,
                       "--headers")


def produce(stage, broker, lines):
    path = settings(stage, "produce", by_password(broker, "scenesync-producer"))
    stage.run(stage.scenesync, "produce", "--config", path, input=lines)


def records(process):
    return [json.loads(line) for line in process.log().splitlines() if line.startswith("{")]


def tell_chapters(stage, broker, results, chapters, due):
    """Returns how many results are there in the end: chapters need those of the ones before."""
    expected = json.loads(read(os.path.join(STORY, "expected.json")))
    for chapter in chapters:
        produce(stage, broker, read(chapter))
        due += len(expected["results"][os.path.basename(chapter)[:-len(".jsonl")]])
        until(lambda: len(records(results)) >= due, lambda: "%s has its %d results: %s" % (
            chapter, due, results.log()[-2000:]))
    return due


def chapters():
    return sorted(glob.glob(os.path.join(STORY, "*.jsonl")))


def tell_burst(stage, broker, results, due):
    lines = subprocess.run(["jq", "-nc", "-f", os.path.join(STORY, "7-burst.jq")], check=True,
                           capture_output=True, text=True).stdout
    produce(stage, broker, lines)
    due += len(lines.splitlines())
    until(lambda: len(records(results)) >= due, "the burst's results")


def count_records(broker, topic):
    """As an administrator."""
    consumer = Consumer({"bootstrap.servers": read(os.path.join(broker, "bootstrap")).strip(),
                         "group.id": "count"})
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)[1]
            for number in range(PARTITIONS)]
    consumer.close()
    return sum(ends)


def judge(stage, broker, results, letters, scenes_settings):
    """Holds it against what the demo demands."""
    expected = json.loads(read(os.path.join(STORY, "expected.json")))
    until(lambda: len(records(letters)) >= len(expected["dead_letters"]), "the dead letters")
    stage.write("results.json", "".join(json.dumps(one) for one in records(results)))
    stage.write("letters.json", "".join(json.dumps(one) for one in records(letters)))
    stage.write("scenes.json", "".join(
        stage.run(stage.scenesync, "scene", "--compact", scene, "--config", scenes_settings).stdout
        for scene in expected["scenes"]))
    stage.write("topics.json", json.dumps({name: count_records(broker, name) for name in TOPICS}))
    files = [item for name in ("results", "letters", "scenes", "topics")
             for item in ("--slurpfile", name, stage.path(name + ".json"))]
    checks = json.loads(stage.run(
        "jq", "-n", "-L", os.path.join(ROOT, "deploy"), "--slurpfile", "expected",
        os.path.join(STORY, "expected.json"), *files,
        'import "demo" as demo; [demo::checks($expected[0]; $results; $letters; $scenes; '
        "$topics[0])]").stdout)
    wrong = [check for check in checks if check["expected"] != check["actual"]]
    expect(len(checks) > 50, "only %d checks" % len(checks))
    if wrong:
        fail("the story ended otherwise: %s" % json.dumps(wrong, indent=1))
    return len(checks)
