#ifndef TESTS_CERTIFICATE_H
#define TESTS_CERTIFICATE_H

/* A private key for tests, and its certificate for localhost, valid for 100 years. */
static const char key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwYdm4YRsxZ71kiJD\n"
    "6O6pW5RfJLYhp3RtAf/Mf7KFZryhRANCAAQaDRqjtt1ptEffSH6j0Tue9CiSbpbT\n"
    "0CmQ+IqzEfnwzS+D6MmcD0/7Ci3uAHi3xhn7VJ1VgghfaKqcyWb9m0UX\n"
    "-----END PRIVATE KEY-----\n";

static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfjCCASWgAwIBAgIUEtG4YGFw8uvwcxgiZ9JYGA3J48wwCgYIKoZIzj0EAwIw\n"
    "FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDIzNDY0MloYDzIxMjYxMDI3\n"
    "MjM0NjQyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO\n"
    "PQMBBwNCAAQaDRqjtt1ptEffSH6j0Tue9CiSbpbT0CmQ+IqzEfnwzS+D6MmcD0/7\n"
    "Ci3uAHi3xhn7VJ1VgghfaKqcyWb9m0UXo1MwUTAdBgNVHQ4EFgQUsiIaE5DG59X6\n"
    "jIF4kesfmxI6TgowHwYDVR0jBBgwFoAUsiIaE5DG59X6jIF4kesfmxI6TgowDwYD\n"
    "VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiADhtrQ6niPbNbgaLBD0hwY\n"
    "PKNAZ/kFovabeqwy0n2Z8wIgAQeSJY77B6iV1Dgj1Wo2doKrhMSfDECrfclyW24+\n"
    "X/g=\n"
    "-----END CERTIFICATE-----\n";

#endif
