"""Which tests hold the rows that the table of values and headers does not: each is named, and must be there."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.bad_input import envelopes, outputs, values
from tests.bad_input.test_commands import ORDERS
from tests.bad_input.test_records import TIMES
from tests.support.pages import ROOT

CONTROL = "tests/integration/test_control.py"
FAULTS = "tests/integration/test_control_faults.py"
FOLD = "tests/schemas/control/test_fold.py"
KEYS = "tests/schemas/control/test_fold_keys.py"
POISON = "tests/integration/test_poison.py"
RECONCILER = "tests/core/test_reconciler.py"
VERIFICATION = "tests/core/store/test_verification.py"

ELSEWHERE: dict[int, list[tuple[str, str]]] = {
    # a compression bomb
    8: [
        ("tests/bad_input/test_records.py", "test_8_a_topic_that_says_uncompressed_refuses_a_compression_bomb"),
        ("tests/bad_input/test_records.py", "test_8_elsewhere_a_compression_bomb_is_put_aside"),
    ],
    # a batch that is damaged
    9: [
        ("tests/bad_input/test_damaged_log.py", "test_9_what_cannot_be_read_is_put_aside_and_the_rest_is_answered"),
        ("tests/bad_input/test_damaged_log.py", "test_9_a_batch_that_is_flipped_on_its_way_is_read_again_and_answered"),
    ],
    # a header key that is not UTF-8
    10: [("tests/bad_input/test_records.py", "test_10_a_header_key_that_is_not_utf8_is_put_aside")],
    # input that kills the runtime
    35: [
        (POISON, "test_a_model_in_a_process_of_its_own_dies_of_a_request_and_the_worker_does_not"),
        (POISON, "test_a_request_that_kills_workers_kills_three_and_is_put_aside"),
    ],
    # over quota
    41: [
        ("tests/bad_input/test_policies.py", "test_41_who_is_over_its_quota_is_told_when_to_come_back"),
        ("tests/bad_input/test_policies.py", "test_41_or_waits_where_the_policy_says_so"),
    ],
    # one id twice
    42: [("tests/bad_input/test_records.py", "test_42_requests_of_one_id_are_two_requests")],
    # bad signature, unknown key, expired, replayed, lower sequence
    44: [
        (FOLD, "test_only_what_a_trusted_key_has_signed_counts"),
        (FOLD, "test_expiry_is_judged_by_the_time_at_which_the_broker_took_it_in"),
        (FOLD, "test_a_replay_changes_nothing"),
        (FOLD, "test_a_removed_resource_keeps_its_sequence"),
        (KEYS, "test_what_a_revoked_key_has_done_stays_and_it_does_nothing_more"),
        (FAULTS, "test_a_command_that_nobody_trusted_has_signed_changes_nothing"),
    ],
    # right signature, wrong cluster or group
    45: [(FOLD, "test_a_command_for_another_service_is_refused_whoever_signed_it")],
    # unknown kind or field
    46: [(FOLD, "test_what_is_no_command_is_refused")],
    # throttle negative, NaN, 1e30; 0 means stop
    47: [
        (FOLD, "test_a_throttle_is_a_rate_that_can_be"),
        (FOLD, "test_a_throttle_of_zero_stops_its_scope"),
        ("tests/integration/test_throttling.py", "test_one_tenant_waits_and_another_on_the_same_partition_does_not"),
    ],
    # digest mismatch, link out of the folder, external data outside it, custom op library, pickle
    48: [
        (VERIFICATION, "test_damage_is_refused"),
        (VERIFICATION, "test_version_that_is_a_link_out_of_the_repository_is_refused"),
        (VERIFICATION, "test_external_data_outside_the_version_is_refused"),
        (VERIFICATION, "test_library_of_custom_operators_is_refused"),
        (VERIFICATION, "test_pickle_is_refused_and_never_executed"),
        (FAULTS, "test_a_version_that_is_not_what_was_published_is_failed"),
    ],
    # other inputs or outputs than those of the version that serves
    49: [
        (RECONCILER, "test_another_signature_fails_for_good_unless_it_may_change"),
        (CONTROL, "test_what_cannot_serve_is_failed_and_what_served_goes_on"),
    ],
    # a version that fails its warm-up or self-test
    50: [
        ("tests/core/test_self_test.py", "test_one_that_says_something_else_each_time_fails"),
        (CONTROL, "test_what_cannot_serve_is_failed_and_what_served_goes_on"),
    ],
}


@pytest.mark.parametrize("number", range(1, 51))
def test_every_row_is_held_by_a_test(number: int) -> None:
    cases: list[Any] = [*values.ROWS, *envelopes.ROWS, *outputs.ROWS, *TIMES, *ORDERS]
    assert number in [case.number for case in cases] or ELSEWHERE[number], f"nothing holds row {number}"


@pytest.mark.parametrize(("file", "name"), sorted({place for places in ELSEWHERE.values() for place in places}))
def test_a_test_that_is_named_is_there(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", Path(ROOT, file).read_text(), re.MULTILINE)
