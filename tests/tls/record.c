/*
 * record.c - what record.c and message.c promise: records are read as RFC
 * 8448 wrote them, and what no honest server sends ends the connection.
 */
#include "tests/tls/rfc8448.h"
#include "core/word.h"
#include "tls/message.h"

/* What the server has sent, and what we did. */
static uint8_t theirs[70000], ours[4096];
static size_t their_size, their_at, our_size;

static size_t
receive(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	if (size > their_size - their_at)
		size = their_size - their_at;
	memcpy(bytes, theirs + their_at, size);
	their_at += size;
	return size;
}

static bool
give(void *of, const uint8_t *bytes, size_t size)
{
	(void)of;
	assert_true(our_size + size <= sizeof ours);
	memcpy(ours + our_size, bytes, size);
	our_size += size;
	return true;
}

static bool
dice(void *of, uint8_t *bytes, size_t size)
{
	(void)of;
	memset(bytes, 1, size);
	return true;
}

static const struct record_io io = { NULL, receive, give, dice };
static struct messages m;
static struct records *const r = &m.records;

/* A new connection, of that suite if it is not 0. */
static void
begin(uint16_t suite)
{
	their_size = their_at = our_size = 0;
	message_start(&m, &io);
	if (suite != 0)
		record_suite(r, suite_find(suite));
}

/* The server sends a record. */
static void
add(int type, const void *bytes, size_t size)
{
	const uint8_t head[5] = { (uint8_t)type, 3, 3, (uint8_t)(size >> 8),
		(uint8_t)size };

	assert_true(their_size + 5 + size <= sizeof theirs);
	memcpy(theirs + their_size, head, 5);
	memcpy(theirs + their_size + 5, bytes, size);
	their_size += 5 + size;
}

/* The next record must be this fault, and the server must be told by an alert,
 * unless it is 0. */
static void
assert_fault(enum fault fault, int alert)
{
	assert_int_equal(record_next(r), RECORD_NONE);
	assert_int_equal(r->fault, fault);
	assert_int_equal(fault_alerts[fault], alert);
	assert_int_equal(our_size, alert == 0 ? 0 : r->out.on ? 24 : 7);
	if (alert != 0 && !r->out.on) {
		assert_int_equal(ours[0], RECORD_ALERT);
		assert_int_equal(ours[5], 2);
		assert_int_equal(ours[6], alert);
	}
	assert_int_equal(record_next(r), RECORD_NONE);
}

static void
flight_of_the_rfc_is_read(void **state)
{
	static const char *const names[] = { "encrypted_extensions",
		"certificate", "certificate_verify", "server_finished" };
	uint8_t secret[32], bytes[1024], expected[1024];

	(void)state;
	begin(0x1301);
	their_size = rfc("server_flight_record", theirs);
	(void)rfc("s_hs_traffic", secret);
	record_secret(r, &r->in, secret);
	for (size_t i = 0; i < LEN(names); i++) {
		size_t size = rfc(names[i], expected);

		assert_int_equal(message_next(&m), expected[0]);
		assert_int_equal(message_left(&m), size - 4);
		assert_int_equal(message_rest(&m, bytes, sizeof bytes),
		    size - 4);
		assert_memory_equal(bytes, expected + 4, size - 4);
		message_end(&m);
	}
	record_border(r);
	assert_int_equal(r->fault, FAULT_NONE);
}

static void
every_changed_bit_is_noticed(void **state)
{
	uint8_t secret[32];

	(void)state;
	for (size_t bit = 0; bit < 8 * 679; bit += 3) {
		begin(0x1301);
		their_size = rfc("server_flight_record", theirs);
		if (bit / 8 >= their_size)
			break;
		(void)rfc("s_hs_traffic", secret);
		record_secret(r, &r->in, secret);
		theirs[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(record_next(r), RECORD_NONE);
		assert_true(r->fault == FAULT_CHANGED ||
		    (bit < 16 && r->fault == FAULT_NO_TLS) ||
		    (bit < 8 && r->fault == FAULT_BARE) ||
		    (bit < 8 && r->fault == FAULT_RECORD) ||
		    (bit / 8 - 3 < 2 &&
			(r->fault == FAULT_IO || r->fault == FAULT_LONG)));
	}
}

static void
next_keys_are_those_of_the_rfc(void **state)
{
	uint8_t secret[32];

	(void)state;
	begin(0x1301);
	(void)rfc("s_ap_traffic", secret);
	record_secret(r, &r->in, secret);
	assert_rfc("s_ap_key", r->in.key, 16);
	assert_rfc("s_ap_iv", r->in.nonce, 12);
	record_update(r, &r->in);
	assert_rfc("s_ap_traffic_1", r->in.secret, 32);
	assert_int_equal(r->in.number, 0);
}

/* The first hello is replaced by its digest, RFC 8446 §4.4.1. */
static void
retry_begins_the_digest_anew(void **state)
{
	static const char *const after[] = { "retry_client_hello_2",
		"retry_server_hello" };
	uint8_t bytes[1024], digest[64];
	size_t size;

	(void)state;
	begin(0);
	size = rfc("retry_client_hello_1", bytes);
	add(RECORD_HANDSHAKE, bytes, size);
	(void)message_next(&m);
	message_skip(&m);
	(void)message_digest(&m, &br_sha256_vtable, digest);
	size = rfc("retry_hello_retry_request", bytes);
	add(RECORD_HANDSHAKE, bytes, size);
	(void)message_next(&m);
	message_skip(&m);
	message_restart(&m, &br_sha256_vtable, digest);
	for (size_t i = 0; i < LEN(after); i++) {
		size = rfc(after[i], bytes);
		add(RECORD_HANDSHAKE, bytes, size);
		(void)message_next(&m);
		message_skip(&m);
	}
	assert_int_equal(message_digest(&m, &br_sha256_vtable, digest), 32);
	assert_rfc("retry_hash_hellos", digest, 32);
	assert_int_equal(r->fault, FAULT_NONE);
}

static void
what_is_no_record_is_refused(void **state)
{
	(void)state;
	for (int first = 0; first < 256; first++)
		for (int second = 2; second < 5; second++) {
			if (first >= 20 && first <= 23 && second == 3)
				continue;
			begin(0);
			add(first, "x", 1);
			theirs[1] = (uint8_t)second;
			assert_fault(FAULT_NO_TLS, 50);
		}
}

static void
records_have_limits(void **state)
{
	static uint8_t zeros[20000];
	uint8_t secret[48] = { 0 };

	(void)state;
	begin(0);
	add(RECORD_HANDSHAKE, zeros, RECORD_MOST);
	assert_int_equal(record_next(r), RECORD_HANDSHAKE);
	assert_int_equal(r->size, RECORD_MOST);
	begin(0);
	add(RECORD_HANDSHAKE, zeros, RECORD_MOST + 1);
	assert_fault(FAULT_LONG, 22);
	begin(0x1303);
	record_secret(r, &r->in, secret);
	add(RECORD_CONTENT, zeros, RECORD_MOST + 257);
	assert_fault(FAULT_LONG, 22);
	begin(0x1303);
	record_secret(r, &r->in, secret);
	add(RECORD_CONTENT, zeros, 15); /* not even a tag */
	assert_fault(FAULT_BARE, 10);
	begin(0xc02f);
	record_keys(r, &r->in, secret, secret, 4);
	add(RECORD_CONTENT, zeros, 23); /* nor a nonce */
	assert_fault(FAULT_BARE, 10);
	begin(0);
	add(RECORD_CONTENT, zeros, 1);
	assert_fault(FAULT_BARE, 10);
	begin(0);
	add(RECORD_HANDSHAKE, zeros, 0);
	assert_fault(FAULT_EMPTY, 10);
}

static void
empty_records_are_not_read_for_ever(void **state)
{
	(void)state;
	begin(0);
	for (int i = 0; i < 100; i++)
		add(RECORD_CIPHER, "\1", 1);
	add(RECORD_HANDSHAKE, "x", 1);
	assert_fault(FAULT_EMPTY, 10);
}

static void
alerts_end_it_unless_they_warn(void **state)
{
	(void)state;
	begin(0);
	add(RECORD_ALERT, "\1\x70", 2);
	add(RECORD_HANDSHAKE, "x", 1);
	assert_int_equal(record_next(r), RECORD_HANDSHAKE);
	begin(0);
	add(RECORD_ALERT, "\2\x28", 2);
	assert_fault(FAULT_ALERT, 0);
	assert_int_equal(r->alert, 40);
	begin(0);
	add(RECORD_ALERT, "\1\0", 2);
	assert_fault(FAULT_CLOSED, 0);
	begin(0);
	add(RECORD_ALERT, "\2", 1);
	assert_fault(FAULT_FORM, 50);
	begin(0x1301); /* which has no warnings */
	add(RECORD_ALERT, "\1\x70", 2);
	assert_fault(FAULT_ALERT, 0);
}

static void
stray_change_of_keys_is_refused(void **state)
{
	(void)state;
	begin(0);
	add(RECORD_CIPHER, "\2", 1);
	assert_fault(FAULT_RECORD, 10);
	begin(0);
	add(RECORD_CIPHER, "\1\1", 2);
	assert_fault(FAULT_RECORD, 10);
	begin(0x1301);
	record_done(r);
	add(RECORD_CIPHER, "\1", 1);
	assert_fault(FAULT_RECORD, 10);
	/* before the hello that chooses TLS 1.2 */
	begin(0);
	add(RECORD_CIPHER, "\1", 1);
	add(RECORD_HANDSHAKE, "x", 1);
	assert_int_equal(record_next(r), RECORD_HANDSHAKE);
	record_suite(r, suite_find(0xc02f));
	assert_int_equal(r->fault, FAULT_RECORD);
}

static void
vectors_end_where_they_say(void **state)
{
	static const uint8_t bytes[] = { 1, 0, 0, 4, 0, 2, 7, 8 };
	size_t outer;

	(void)state;
	for (int end = 0; end < 4; end++) {
		begin(0);
		add(RECORD_HANDSHAKE, bytes, sizeof bytes);
		theirs[5 + 5] = (uint8_t)end; /* the vector's size */
		assert_int_equal(message_next(&m), 1);
		outer = message_enter(&m, 2);
		assert_int_equal(message_left(&m), end < 3 ? end : 0);
		message_skip(&m);
		message_leave(&m, outer);
		message_end(&m);
		assert_int_equal(r->fault, end == 2 ? FAULT_NONE : FAULT_FORM);
	}
	begin(0);
	add(RECORD_HANDSHAKE, bytes, sizeof bytes);
	(void)message_next(&m);
	outer = message_enter(&m, 2);
	assert_int_equal(message_number(&m, 3), 0); /* one too many */
	assert_int_equal(r->fault, FAULT_FORM);
	assert_int_equal(message_left(&m), 0);
	message_leave(&m, outer);
}

static void
long_message_of_ours_is_cut_and_refused(void **state)
{
	struct writer w;
	uint8_t bytes[RECORD_OUT + 100] = { 0 };

	(void)state;
	begin(0);
	message_begin(&w, MESSAGE_CERTIFICATE);
	message_put_bytes(&w, bytes, RECORD_OUT - 4);
	message_send(&m, &w);
	assert_int_equal(r->fault, FAULT_NONE);
	assert_int_equal(our_size, 5 + RECORD_OUT);
	begin(0);
	message_begin(&w, MESSAGE_CERTIFICATE);
	message_put_bytes(&w, bytes, sizeof bytes);
	message_send(&m, &w);
	assert_int_equal(r->fault, FAULT_OURS);
}

static void
every_fault_has_words(void **state)
{
	(void)state;
	for (int i = FAULT_NONE + 1; i < FAULTS; i++) {
		assert_true(*word_at(fault_words, i) != '\0');
		assert_true(i < FAULT_BROKEN || fault_alerts[i] != 0);
	}
	assert_string_equal(word_at(fault_words, FAULT_CERTIFICATE),
	    "certificate refused");
	assert_string_equal(word_at(fault_words, FAULT_FINISHED),
	    "wrong Finished: messages were changed on the way");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flight_of_the_rfc_is_read),
		cmocka_unit_test(every_changed_bit_is_noticed),
		cmocka_unit_test(next_keys_are_those_of_the_rfc),
		cmocka_unit_test(retry_begins_the_digest_anew),
		cmocka_unit_test(what_is_no_record_is_refused),
		cmocka_unit_test(records_have_limits),
		cmocka_unit_test(empty_records_are_not_read_for_ever),
		cmocka_unit_test(alerts_end_it_unless_they_warn),
		cmocka_unit_test(stray_change_of_keys_is_refused),
		cmocka_unit_test(vectors_end_where_they_say),
		cmocka_unit_test(long_message_of_ours_is_cut_and_refused),
		cmocka_unit_test(every_fault_has_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
