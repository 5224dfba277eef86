/* SPDX-License-Identifier: MIT */
/* QMP commands that look into the machine, or save it: walks, tables, enclaves, fingerprints, snapshots. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qmp_session.h"

TestSuite(qmp_look, .init = setup);

Test(qmp_look, walk)
{
	EXPECT("{\"execute\":\"walk\",\"arguments\":{\"address\":\"0x5\"}}",
	       "{\"return\":{\"address\":\"0x5\",\"access\":\"r\",\"privilege\":\"as it runs\",\"cpu\":0}}");
	EXPECT("{\"execute\":\"walk\",\"arguments\":{\"address\":\"7\",\"access\":\"x\",\"privilege\":\"user\",\"cpu\":"
	       "3}}",
	       "{\"return\":{\"address\":\"7\",\"access\":\"x\",\"privilege\":\"user\",\"cpu\":3}}");
	EXPECT("{\"execute\":\"walk\"}", ERR("GenericError", "Parameter 'address' is missing"));
	EXPECT("{\"execute\":\"walk\",\"arguments\":{\"address\":5}}",
	       ERR("GenericError", "Invalid parameter type for 'address', expected: string"));
	EXPECT("{\"execute\":\"walk\",\"arguments\":{\"address\":\"5\",\"access\":\"rw\"}}",
	       ERR("GenericError", "Parameter 'access' does not accept value 'rw'"));
	EXPECT("{\"execute\":\"walk\",\"arguments\":{\"address\":\"5\",\"privilege\":\"root\"}}",
	       ERR("GenericError", "Parameter 'privilege' does not accept value 'root'"));
}

Test(qmp_look, query_tables)
{
	EXPECT("{\"execute\":\"query-tables\"}", "{\"return\":{\"stage\":\"guest\",\"address\":\"all\",\"cpu\":-1}}");
	EXPECT("{\"execute\":\"query-tables\",\"arguments\":{\"stage\":\"shadow\",\"address\":\"0x1000\",\"cpu\":0}}",
	       "{\"return\":{\"stage\":\"shadow\",\"address\":\"0x1000\",\"cpu\":0}}");
	EXPECT("{\"execute\":\"query-tables\",\"arguments\":{\"cpu\":-1}}",
	       ERR("GenericError", "Parameter 'cpu' expects the number of a vCPU"));
	EXPECT("{\"execute\":\"query-tables\",\"arguments\":{\"stage\":\"x\"}}",
	       ERR("GenericError", "Parameter 'stage' does not accept value 'x'"));
}

Test(qmp_look, query_enclaves)
{
	EXPECT("{\"execute\":\"query-enclaves\"}", ERR("GenericError", "no secure memory"));
	EXPECT("{\"execute\":\"query-enclaves\",\"arguments\":{\"id\":1}}",
	       ERR("GenericError", "Parameter 'id' is unexpected"));
	vm.has_enclaves = true;
	cr_expect(strstr(ask("{\"execute\":\"query-enclaves\"}"), "{\"return\":{\"key\":\"c0ffee\",\"enclaves\":["));
}

Test(qmp_look, fingerprint)
{
	EXPECT("{\"execute\":\"fingerprint\"}",
	       "{\"return\":{\"algorithm\":\"blake2b\",\"key\":\"own\",\"stop\":false}}");
	EXPECT("{\"execute\":\"fingerprint\",\"arguments\":{\"algorithm\":\"xxh3\",\"key\":\"00\",\"stop\":true}}",
	       "{\"return\":{\"algorithm\":\"xxh3\",\"key\":\"00\",\"stop\":true}}");
	EXPECT("{\"execute\":\"fingerprint\",\"arguments\":{\"algorithm\":\"md5\"}}",
	       ERR("GenericError", "Parameter 'algorithm' does not accept value 'md5'"));
}

/* Only nodes that the address space has, and not more at once than a reply can hold. */
Test(qmp_look, fingerprint_hashes)
{
#define HASHES(rest) "{\"execute\":\"fingerprint-hashes\",\"arguments\":{\"version\":7,\"level\":" rest "}}"
	static const char *const wrong[] = {HASHES("5"),
	                                    HASHES("4,\"first\":1"),
	                                    HASHES("0,\"count\":0"),
	                                    HASHES("0,\"count\":4097"),
	                                    HASHES("3,\"first\":511,\"count\":2"),
	                                    HASHES("0,\"first\":9223372036854775807,\"count\":4096")};

	EXPECT(HASHES("1,\"first\":512,\"count\":512"), "{\"return\":[7,1,512,512]}");
	EXPECT(HASHES("4"), "{\"return\":[7,4,0,1]}");
	EXPECT(HASHES("0,\"first\":68719476735"), "{\"return\":[7,0,68719476735,1]}");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect(strstr(ask(wrong[i]), "each of the nodes exist"), "%s", wrong[i]);
	EXPECT(HASHES("-1"), ERR("GenericError", "Parameter 'level' expects a size"));
}

Test(qmp_look, snapshot)
{
	EXPECT("{\"execute\":\"query-snapshot\"}", "{\"return\":{\"status\":\"none\"}}");
	EXPECT("{\"execute\":\"snapshot-save\"}", ERR("GenericError", "Parameter 'file' is missing"));
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":1}}",
	       ERR("GenericError", "Invalid parameter type for 'file', expected: string"));
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/x\\u0000.new\"}}",
	       ERR("GenericError", "Parameter 'file' has a NUL in it")); /* not saved to /x */
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/x\"}}", "{\"return\":{\"pause-us\":456}}");
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/y\"}}",
	       ERR("GenericError", "A snapshot is being saved to /x"));
	EXPECT("{\"execute\":\"query-snapshot\"}",
	       "{\"return\":{\"status\":\"saving\",\"file\":\"/x\",\"pause-us\":456,\"ms\":0,\"pages\":7,\"done\":3,"
	       "\"stored\":0,\"zero\":0,\"absent\":0,\"bytes\":0}}");
}

Test(qmp_look, snapshot_since_another)
{
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/x\",\"since\":1}}",
	       ERR("GenericError", "Invalid parameter type for 'since', expected: string"));
	EXPECT("{\"execute\":\"snapshot-save\",\"arguments\":{\"file\":\"/x\",\"since\":\"/w\",\"track\":true}}",
	       "{\"return\":{\"pause-us\":456}}");
	EXPECT("{\"execute\":\"query-snapshot\"}",
	       "{\"return\":{\"status\":\"saving\",\"file\":\"/x\",\"base\":\"/"
	       "w\",\"unchanged\":5,\"pause-us\":456,\"ms\":0,"
	       "\"pages\":7,\"done\":3,\"stored\":0,\"zero\":0,\"absent\":0,\"bytes\":0}}");
}

/* A file comes along first, is taken by its command, and serves the ranges that follow. */
Test(qmp_look, dedup)
{
#define RANGES(command, range)                                                                                         \
	"{\"execute\":\"dedup-" command "\",\"arguments\":{\"ranges\":[{\"gpa\":4096" range "}]}}"
	static const char bad[] = "gpa, size and offset must be multiples of 4096, size more than 0, and the range end";
	const int file = memfd_create("store", 0), small = memfd_create("small", 0);

	cr_assert(file >= 0 && small >= 0 && ftruncate(file, 8192) == 0);
	EXPECT("{\"execute\":\"dedup-store\"}", ERR("GenericError", "No file descriptor supplied via SCM_RIGHTS"));
	EXPECT(RANGES("take", ",\"size\":4096,\"offset\":0"),
	       ERR("GenericError", "There is no store: \\\"dedup-store\\\" first"));
	qmp_take_fd(&session, small);
	EXPECT("{\"execute\":\"dedup-store\"}", ERR("GenericError", "no store"));
	EXPECT("{\"execute\":\"dedup-store\"}", ERR("GenericError", "No file descriptor supplied via SCM_RIGHTS"));
	qmp_take_fd(&session, dup(file));
	qmp_take_fd(&session, file);
	EXPECT("{\"execute\":\"dedup-store\"}", "{\"return\":{\"size\":8192,\"unit\":4096}}");
	EXPECT("{\"execute\":\"dedup-store\"}", ERR("GenericError", "No file descriptor supplied via SCM_RIGHTS"));
	cr_expect(strstr(ask(RANGES("give", ",\"size\":8192,\"offset\":0")), "\"bytes\":8192,\"given\":2,"));
	cr_expect(strstr(ask(RANGES("take", ",\"size\":4096,\"offset\":0")), "\"merged\":1,"));
	cr_expect(strstr(ask(RANGES("take", ",\"size\":4096")), "\"zero\":1,\"full\":0,"));
	cr_expect(strstr(ask(RANGES("advise", ",\"size\":4096")), "\"full\":0,"));
	EXPECT(RANGES("give", ",\"size\":4096"), ERR("GenericError", "Parameter 'offset' is missing"));
	cr_expect(strstr(ask(RANGES("take", ",\"size\":0")), bad));
	cr_expect(strstr(ask(RANGES("take", ",\"size\":4096,\"offset\":9223372036854771712")), bad));
	qmp_session_end(&session);
	cr_expect_lt(fcntl(file, F_GETFD), 0, "the store stays open");
}
