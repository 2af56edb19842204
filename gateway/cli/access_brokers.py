"""Rights in the languages of brokers: roles to the text of files. Pure but for the salts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli import access_hashes
from gateway.cli.access import Role, logins

Passwords = Mapping[str, str]

# mosquitto


def mosquitto_acl(roles: Sequence[Role]) -> str:
    """mosquitto.conf(5), acl_file. It has no groups: each login gets the rights of all its roles.

    Without a rule for it, everything is refused. A subscription is not, but it brings nothing.
    """
    blocks = []
    for login, own in sorted(logins(roles).items()):
        rows = [f"# {', '.join(role.name for role in own)}", f"user {login}"]
        rows += [f"topic read {one}" for one in _once(role.read for role in own)]
        rows += [f"topic write {one}" for one in _once(role.write for role in own)]
        blocks.append("\n".join(rows) + "\n")
    return "\n".join(blocks)


def mosquitto_passwords(roles: Sequence[Role], known: Passwords, before: str) -> str:
    """mosquitto_passwd(1). before: the file as it was; what is in it and is not changed, stays."""
    lines = dict(line.split(":", 1) for line in before.splitlines() if ":" in line)
    for login in logins(roles):
        if login in known and not access_hashes.is_mosquitto(lines.get(login, ""), known[login]):
            lines[login] = access_hashes.mosquitto(known[login])
    return "".join(f"{login}:{stored}\n" for login, stored in sorted(lines.items()))


def dynamic_security(roles: Sequence[Role]) -> str:
    """Commands for mosquitto's dynamic security plug-in, to `$CONTROL/dynamic-security/v1`.

    What exists is made again as it should be: of `create` and `modify`, one always applies.
    """
    commands: list[dict[str, Any]] = [
        {
            "command": "setDefaultACLAccess",
            "acls": [
                {"acltype": "publishClientSend", "allow": False},
                {"acltype": "publishClientReceive", "allow": True},
                {"acltype": "subscribe", "allow": False},
                {"acltype": "unsubscribe", "allow": True},
            ],
        }
    ]
    for role in roles:
        acls = [_acl("subscribePattern", one) for one in role.read]
        acls += [_acl("publishClientSend", one) for one in role.write]
        for verb in ("createRole", "modifyRole"):
            commands.append({"command": verb, "rolename": role.name, "acls": acls})
    for login, own in sorted(logins(roles).items()):
        names = [{"rolename": role.name, "priority": 0} for role in own]
        commands.append({"command": "createClient", "username": login})
        commands.append({"command": "modifyClient", "username": login, "roles": names})
    return json.dumps({"commands": commands}, indent=1) + "\n"


def _acl(kind: str, topic: str) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": 0, "allow": True}


# RabbitMQ

EXCHANGE = "amq.topic"
"""Where the MQTT plug-in publishes, with the levels of the topic as words of the routing key."""
NOTHING = "^$"
RABBITMQ_MIRRORS = (
    "sessions",
    "^mqtt-subscription-",
    '{"ha-mode":"all","ha-sync-mode":"automatic"}',
)
"""Name, pattern and definition of the policy by which every node of a cluster has the sessions. Not
part of the definitions: RabbitMQ 4 does not know `ha-mode`."""


def rabbitmq_definitions(
    roles: Sequence[Role], known: Passwords, before: str, vhost: str = "/"
) -> str:
    """For `rabbitmqctl import_definitions`: users, permissions and topic permissions.

    before: the file as it was, for the hashes of those whose password is not known now. Who has
    none is left out: RabbitMQ would let nobody in by that name.
    """
    hashes = _rabbitmq_hashes(before)
    users = dict(sorted(logins(roles).items()))
    for login in users:
        if login in known and not access_hashes.is_rabbitmq(hashes.get(login, ""), known[login]):
            hashes[login] = access_hashes.rabbitmq(known[login])
    own_ids = [role.client_id for role in roles if role.client_id]
    there = {login: own for login, own in users.items() if login in hashes}
    definitions = {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": login,
                "password_hash": hashes[login],
                "hashing_algorithm": access_hashes.RABBIT_ALGORITHM,
                "tags": [],
            }
            for login in there
        ],
        "permissions": [
            {"user": login, "vhost": vhost, **_resources(own, own_ids)}
            for login, own in there.items()
        ],
        "topic_permissions": [
            {
                "user": login,
                "vhost": vhost,
                "exchange": EXCHANGE,
                "read": routing_pattern(_once(role.read for role in own), subscribing=True),
                "write": routing_pattern(_once(role.write for role in own)),
            }
            for login, own in there.items()
        ],
    }
    return json.dumps(definitions, indent=1) + "\n"


def _rabbitmq_hashes(before: str) -> dict[str, str]:
    if not before.strip():
        return {}
    users = json.loads(before)["users"]
    return {
        user["name"]: user["password_hash"]
        for user in users
        if user["hashing_algorithm"] == access_hashes.RABBIT_ALGORITHM
    }


def _resources(own: Sequence[Role], gateways: Sequence[str]) -> dict[str, str]:
    """A client's subscriptions are a queue that is named after its id. A gateway has its own alone;
    people have any but those of gateways."""
    ids = [re.escape(role.client_id) for role in own if role.client_id]
    if ids:
        queue = rf"mqtt-subscription-({'|'.join(ids)})qos[01]"
    else:
        others = "|".join(map(re.escape, gateways))
        queue = rf"mqtt-subscription-(?!({others})qos[01]$).*qos[01]"
    both = rf"^({re.escape(EXCHANGE)}|{queue})$"
    return {"configure": f"^{queue}$", "write": both, "read": both}


def routing_pattern(filters: Sequence[str], subscribing: bool = False) -> str:
    """A regular expression for the routing keys that the filters allow.

    subscribing: the key is then the filter of a subscription itself, with `*` for `+`; it is
    allowed if it asks for no more than one of the filters.
    """
    return rf"^({'|'.join(_words(one, subscribing) for one in filters)})$" if filters else NOTHING


def _words(topic: str, subscribing: bool) -> str:
    word = r"[^.#]+" if subscribing else r"[^.]+"
    pattern = ""
    for index, level in enumerate(topic.split("/")):
        dot = r"\." if index else ""
        if level == "#":
            return pattern + (r"(\..*)?" if index else ".*")
        pattern += dot + (word if level == "+" else re.escape(level))
    return pattern


def _once(groups: Any) -> list[str]:
    return list(dict.fromkeys(one for group in groups for one in group))
