"""Every Redis key of the read model.

    allocation:generations      string   "<live> <other>": the generation that is read, and a second one that is also
                                         written (the one being rebuilt, or the former one until it is dropped)
    allocation:generation       string   counter that names the next generation
    allocation:etas             string   another one whenever an ETA has changed: until then, readers remember them
    allocation:committed        channel  wakes the relay

    g<n>:{<bucket>}:cursor          string  position in the log up to which the bucket holds every event
    g<n>:{<bucket>}:filled          string  the same while the generation is being filled, and takes no other writes
    g<n>:{<bucket>}:order:<id>      hash    a register for each sku: the order's line of it
    g<n>:{<bucket>}:product:<sku>   hash    register "totals", and "batch:<ref>" for each batch with room
    g<n>:{<bucket>}:used-up:<sku>   hash    the registers of the batches without room, out of the readers' way
    g<n>:{<bucket>}:batch:<ref>     hash    register "state"
    g<n>:{00}:log                   string  identity of the log that the generation is made from

A bucket is a hash tag: its keys are on one node of a cluster, and one call changes them together. The functions below
give keys without their generation.
"""

from functools import lru_cache
from zlib import crc32

GENERATIONS = "allocation:generations"
GENERATION_COUNTER = "allocation:generation"
ETAS = "allocation:etas"
COMMITTED = "allocation:committed"

BUCKETS = [f"{{{number:02}}}" for number in range(32)]

LOG = f"{BUCKETS[0]}:log"

remembered = lru_cache(maxsize=10_000)
"""The lines of an order come one after the other, and every event tells of a product and its batches."""


def bucket_for(identifier: str) -> str:
    return BUCKETS[crc32(identifier.encode()) % len(BUCKETS)]


def bucket_of(key: str) -> str:
    return key[: len(BUCKETS[0])]


def cursor(bucket: str) -> str:
    return f"{bucket}:cursor"


def filled(bucket: str) -> str:
    return f"{bucket}:filled"


@remembered
def order(orderid: str) -> str:
    return f"{bucket_for(orderid)}:order:{orderid}"


@remembered
def product(sku: str) -> str:
    return f"{bucket_for(sku)}:product:{sku}"


@remembered
def used_up(sku: str) -> str:
    return f"{bucket_for(sku)}:used-up:{sku}"


@remembered
def batch(ref: str) -> str:
    return f"{bucket_for(ref)}:batch:{ref}"
