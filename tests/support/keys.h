#ifndef TESTS_KEYS_H
#define TESTS_KEYS_H

/* Keys for tests. They are published here, so they must not be used for anything else. */

#define KEY_RSA \
    "{\"d\":\"bXknaTj6GOwPh2Qi_JGXmqTO-KyAMDKzOQn6ORnyGwETi3wegIMPUrkknoDJ_b45u4dkp" \
    "idhNjBpGSjeb33RC5GPHh2H2VNiLNuuEFOrlYXnImhAru0oEsVFbadIpFtCpFunxgF-BgI0tm4y74h" \
    "dUsfNFIlW_YxpXc_v9bmZUyB3rWjx32ohD3y2XdxSKPOhSz5zNgpjANSHHQxxYP-1AaNIOKwgYW4dn" \
    "jEbwzq2SmBjHSZF8DHzu70SdbHbHgfILwMlfiR9gIt0VcrvImFFck2I0woilH4IhkdPOv4hRS0BSYz" \
    "HGw4E1c2KDbyrZXCS34VKicpZPXsClB7njKgsSQ\",\"dp\":\"moPD2ryu4ys4SKirt900hU7ymix" \
    "N-nZ5fztd0AAgutODnf9aQ5FE37NQu1HrBcwTFDSvNxyOS98OQOixUXihWsG1vUi8pJi9kJKwW_43z" \
    "eDjU6pm74jzEKMoQXYHLs1m9Sv8LdGi7u8jPym0oB_IXwEEEJXhlMiX3J0Nbx_vPL0\",\"dq\":\"" \
    "DpoZcG3NcXKWqxb5uDIcMSW2gAUA4g3i8zJ1xLmADdDM4lFLXRuxVlzUbJGUxMvkSgYURNv0Ca-18F" \
    "XP1UjDYG-ao261nDAWSNd24YXRnLjKLkK7r796dTSavdC9fM4VrRRUk0vYs62H4EA_Qyr9nBQyHdmk" \
    "0Vkum4iXlQjr8BE\",\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"02IJWwStw2t5-xCPAtkPM" \
    "y3RWnAp2d8vjbHmPjJc4rDzgZ2GZ5H_uhHHvtAxGw58NUIv0Oej9pGrpDUgVmDs2E7x6msStE4i9Co" \
    "rZkwDPLiGUbX4lkpoIZbfxyKKEf7kKGKBjCRDulbVrw-OLoB0ik7JtD8NPmjguRKXLehqO-xUW6rQ5" \
    "49_r-JE-IxgQgsAImYtZ9nEsWxgngxQivnk77J1FRogMdVpK0fclQ81AiQPpSlSf8zFG9smF5vrO2a" \
    "XFcImlm8oi7pdvIoDDCa6BMmDDP6oBmK73gq3UUQD8H0zI_NtNxURiavfd3zH6j35HbinhgjipuOvN" \
    "EATQgFnkw\",\"p\":\"3XCF_LYaccl-e3RAcrLTu7kPiQvEm9SgOfp_Ua_RN3S2DtFkUppDVs4Is_" \
    "WZxw0jU08qLL0Q63Zu_5osGkEzJttKZI4oOVq8CRe62F5tXVLkUKT0zbHuvpIo2NZjM9pHYPEJzoXu" \
    "vR1Vvec7oTc2A79NrTn_Oy8PoBlQlGbFgP8\",\"q\":\"9F-1YPa1bQtAb8Ol_iiOdtdyH5uldmAI" \
    "cEWerANzRd_AZmKxL8qN3NcgxyBAOIZ6Pd3k_zrk6X7MfTzwQF2oN6GKhwSDdUJRpWB4357uH4k2EQ" \
    "6CYocS30CVuzGjRYdaa92XYQp1o9bqrJeiFhzQm_eDqfQlU87WNUq6jLcbhW0\",\"qi\":\"AaJWI" \
    "RtWNiJMeBPnBj1N98sFi85D_mhZP2entpI-6Izyk5qO_hJR3Tf2OizDzKsmXYyjg460wKSbsEzz_8o" \
    "t4bGCp52IRNIQZfj-IKVSN55kMkUX1SPQSETYu1t3B092twB7vov14OEx1Lar-bH73xlq3RkxQN26K" \
    "yoBpvGQ9h8\"}"

#define KEY_P256 \
    "{\"crv\":\"P-256\",\"d\":\"CDDRznKsVk3Ftr52DDz1TYeSAuAjyIcMPsD5CMprl7E\",\"kty" \
    "\":\"EC\",\"x\":\"Nhj4py86ETR_Ni7bQF7gr5R1emsrZKc7yj82U_NtJyM\",\"y\":\"6izefa" \
    "vs_LZqO0-aypX8cchKkl4K525GKSWQLZQ58po\"}"

#define KEY_P384 \
    "{\"crv\":\"P-384\",\"d\":\"20-jJKVEHE4q8FBxzSWLWQS-OeaatvZ2dGTOHgkk9NmvcLHg-LA" \
    "QcLzpdjM7tKbi\",\"kty\":\"EC\",\"x\":\"Oc4mar3PIVqRvNoRHMkTyaL0ERfQovFNfdFeRVR" \
    "dkarz3qHULKe1IiTa3dd-_b2C\",\"y\":\"YsREDMbVjBwvzE5VdkGj1ZmWM8HU0CFutVkw9pK6Qd" \
    "UAxeGX8nmVfHL58StBF2S4\"}"

#define KEY_P521 \
    "{\"crv\":\"P-521\",\"d\":\"AYXTwfMojhe5bmIN5c5Xk7SdLJZsZE58qofyovjoNFOIlRlAU_K" \
    "U0MHzkLm4ERmCxGSPUHFITFOdGWMxzxQYajtf\",\"kty\":\"EC\",\"x\":\"DYOT8RXav3xpIKR" \
    "5AQjBeZgyHYMVifHlY--3B3N4CV86LgCmbgCTLMDg_UkXf1cHwFuWZuq1BGtZwBRmGGzx7Yo\",\"y" \
    "\":\"AUkU47uqCdCLLPnMbsEV8sdk7aSmFBrREbaq3tSPQW09den-SllqdBUIzqT6VTSaFwptg_DLZ" \
    "UWEOz1oiHNzPQsy\"}"

#define KEY_ED25519 \
    "{\"crv\":\"Ed25519\",\"d\":\"OpfyRVrVjA5mR18DoZS7suDoLLmphcch5ZmOAXLFqgo\",\"k" \
    "ty\":\"OKP\",\"x\":\"v3tlvx1yPuyNkV7dLhwvhNtg3IyVXqknfbetQWcNh8Y\"}"

#define KEY_RSA1024 \
    "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"ru8IWOKCq8nTul5BXopVgu6ja-nPCBOU0sGBHn" \
    "C1rJFPStF5-LW9dR1GaJzJDYGYl3FiUKhMOpKUeMVytEeHcX9UjfyS-kDcjC2o-JPiu9l0tHdTTu0S" \
    "n0lFz3TiMxfrp8JdWos060wmOPRCqQIuiTZvLyyX6NFv6fZgPKRPVM8\"}"

/* The public and private part of KEY_RSA, and others, in PEM. */
#define PEM_RSA_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA02IJWwStw2t5+xCPAtkP\n" \
    "My3RWnAp2d8vjbHmPjJc4rDzgZ2GZ5H/uhHHvtAxGw58NUIv0Oej9pGrpDUgVmDs\n" \
    "2E7x6msStE4i9CorZkwDPLiGUbX4lkpoIZbfxyKKEf7kKGKBjCRDulbVrw+OLoB0\n" \
    "ik7JtD8NPmjguRKXLehqO+xUW6rQ549/r+JE+IxgQgsAImYtZ9nEsWxgngxQivnk\n" \
    "77J1FRogMdVpK0fclQ81AiQPpSlSf8zFG9smF5vrO2aXFcImlm8oi7pdvIoDDCa6\n" \
    "BMmDDP6oBmK73gq3UUQD8H0zI/NtNxURiavfd3zH6j35HbinhgjipuOvNEATQgFn\n" \
    "kwIDAQAB\n" \
    "-----END PUBLIC KEY-----\n"

#define PEM_RSA_PRIVATE \
    "-----BEGIN RSA PRIVATE KEY-----\n" \
    "MIIEowIBAAKCAQEA02IJWwStw2t5+xCPAtkPMy3RWnAp2d8vjbHmPjJc4rDzgZ2G\n" \
    "Z5H/uhHHvtAxGw58NUIv0Oej9pGrpDUgVmDs2E7x6msStE4i9CorZkwDPLiGUbX4\n" \
    "lkpoIZbfxyKKEf7kKGKBjCRDulbVrw+OLoB0ik7JtD8NPmjguRKXLehqO+xUW6rQ\n" \
    "549/r+JE+IxgQgsAImYtZ9nEsWxgngxQivnk77J1FRogMdVpK0fclQ81AiQPpSlS\n" \
    "f8zFG9smF5vrO2aXFcImlm8oi7pdvIoDDCa6BMmDDP6oBmK73gq3UUQD8H0zI/Nt\n" \
    "NxURiavfd3zH6j35HbinhgjipuOvNEATQgFnkwIDAQABAoIBAG15J2k4+hjsD4dk\n" \
    "IvyRl5qkzvisgDAyszkJ+jkZ8hsBE4t8HoCDD1K5JJ6Ayf2+ObuHZKYnYTYwaRko\n" \
    "3m990QuRjx4dh9lTYizbrhBTq5WF5yJoQK7tKBLFRW2nSKRbQqRbp8YBfgYCNLZu\n" \
    "Mu+IXVLHzRSJVv2MaV3P7/W5mVMgd61o8d9qIQ98tl3cUijzoUs+czYKYwDUhx0M\n" \
    "cWD/tQGjSDisIGFuHZ4xG8M6tkpgYx0mRfAx87u9EnWx2x4HyC8DJX4kfYCLdFXK\n" \
    "7yJhRXJNiNMKIpR+CIZHTzr+IUUtAUmMxxsOBNXNig28q2Vwkt+FSonKWT17ApQe\n" \
    "54yoLEkCgYEA3XCF/LYaccl+e3RAcrLTu7kPiQvEm9SgOfp/Ua/RN3S2DtFkUppD\n" \
    "Vs4Is/WZxw0jU08qLL0Q63Zu/5osGkEzJttKZI4oOVq8CRe62F5tXVLkUKT0zbHu\n" \
    "vpIo2NZjM9pHYPEJzoXuvR1Vvec7oTc2A79NrTn/Oy8PoBlQlGbFgP8CgYEA9F+1\n" \
    "YPa1bQtAb8Ol/iiOdtdyH5uldmAIcEWerANzRd/AZmKxL8qN3NcgxyBAOIZ6Pd3k\n" \
    "/zrk6X7MfTzwQF2oN6GKhwSDdUJRpWB4357uH4k2EQ6CYocS30CVuzGjRYdaa92X\n" \
    "YQp1o9bqrJeiFhzQm/eDqfQlU87WNUq6jLcbhW0CgYEAmoPD2ryu4ys4SKirt900\n" \
    "hU7ymixN+nZ5fztd0AAgutODnf9aQ5FE37NQu1HrBcwTFDSvNxyOS98OQOixUXih\n" \
    "WsG1vUi8pJi9kJKwW/43zeDjU6pm74jzEKMoQXYHLs1m9Sv8LdGi7u8jPym0oB/I\n" \
    "XwEEEJXhlMiX3J0Nbx/vPL0CgYAOmhlwbc1xcparFvm4MhwxJbaABQDiDeLzMnXE\n" \
    "uYAN0MziUUtdG7FWXNRskZTEy+RKBhRE2/QJr7XwVc/VSMNgb5qjbrWcMBZI13bh\n" \
    "hdGcuMouQruvv3p1NJq90L18zhWtFFSTS9izrYfgQD9DKv2cFDId2aTRWS6biJeV\n" \
    "COvwEQKBgAGiViEbVjYiTHgT5wY9TffLBYvOQ/5oWT9np7aSPuiM8pOajv4SUd03\n" \
    "9josw8yrJl2Mo4OOtMCkm7BM8//KLeGxgqediETSEGX4/iClUjeeZDJFF9Uj0EhE\n" \
    "2LtbdwdPdrcAe76L9eDhMdS2q/mx+98Zat0ZMUDduisqAabxkPYf\n" \
    "-----END RSA PRIVATE KEY-----\n"

#define PEM_P384_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEOc4mar3PIVqRvNoRHMkTyaL0ERfQovFN\n" \
    "fdFeRVRdkarz3qHULKe1IiTa3dd+/b2CYsREDMbVjBwvzE5VdkGj1ZmWM8HU0CFu\n" \
    "tVkw9pK6QdUAxeGX8nmVfHL58StBF2S4\n" \
    "-----END PUBLIC KEY-----\n"

#define PEM_P384_PRIVATE \
    "-----BEGIN EC PRIVATE KEY-----\n" \
    "MIGlAgEBBDEA20+jJKVEHE4q8FBxzSWLWQS+OeaatvZ2dGTOHgkk9NmvcLHg+LAQ\n" \
    "cLzpdjM7tKbioAcGBSuBBAAioWQDYgAEOc4mar3PIVqRvNoRHMkTyaL0ERfQovFN\n" \
    "fdFeRVRdkarz3qHULKe1IiTa3dd+/b2CYsREDMbVjBwvzE5VdkGj1ZmWM8HU0CFu\n" \
    "tVkw9pK6QdUAxeGX8nmVfHL58StBF2S4\n" \
    "-----END EC PRIVATE KEY-----\n"

#define PEM_ED25519_PUBLIC \
    "-----BEGIN PUBLIC KEY-----\n" \
    "MCowBQYDK2VwAyEAv3tlvx1yPuyNkV7dLhwvhNtg3IyVXqknfbetQWcNh8Y=\n" \
    "-----END PUBLIC KEY-----\n"

/* The secret of the conformance suites of the Mercure protocol. */
#define KEY_SECRET "!ChangeThisMercureHubJWTSecretKey!"

#endif
