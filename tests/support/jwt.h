#ifndef TESTS_JWT_H
#define TESTS_JWT_H

/* Returns a new JWT with these CLAIMS, a JSON object, signed with the SECRET by HS256. */
char *jwt_make(const char *secret, const char *claims);

/* The same, an access token as RFC 9068 has it. */
char *jwt_make_access(const char *secret, const char *claims);

/* Returns a new JWT whose header names the algorithm ALG, with the signature of TEXT, a
 * JWT, or without one if ALG is "none"; and with the claims of TEXT. */
char *jwt_rename(const char *text, const char *alg);

#endif
