/* The file of users: who is in it, what changes it, and what becomes of a broken one.
 * SPDX-License-Identifier: MIT */
#include <meshwork/users.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static char dir[64], file[96];
static struct mw_error error;
static const char *const operator_role[] = {"operator"}, *const two_roles[] = {"admin", "operator"};

static void begin(void)
{
    (void)snprintf(dir, sizeof dir, "/tmp/users_test.XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(file, sizeof file, "%s/users", dir);
    error = (struct mw_error){0};
}

static void end(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    CHECK_INT(system(command), 0);
}

static mw_users *opened(void)
{
    mw_users *users = NULL;
    int err = mw_users_open(dir, &users, &error);

    if (err < 0)
        fprintf(stderr, "    %s\n", error.text);
    CHECK_INT(err, 0);
    return users;
}

static void write_users(const char *text)
{
    FILE *f = fopen(file, "w");

    CHECK(f != NULL);
    CHECK(fputs(text, f) >= 0);
    CHECK_INT(fclose(f), 0);
    CHECK_INT(chmod(file, 0600), 0);
}

static void check_in(const char *part, const char *text)
{
    if (!strstr(text, part)) {
        fprintf(stderr, "    \"%s\" is not in \"%s\"\n", part, text);
        mw_test_fail();
    }
}

static void a_user_is_found_again_by_who_opens_the_directory(void)
{
    mw_users *users;
    const mw_user *bob;

    begin();
    CHECK_INT(rmdir(dir), 0); /* the first change makes it */
    users = opened();
    CHECK_INT(mw_users_count(users), 0);
    CHECK_INT(mw_users_add(users, "bob", two_roles, 2, "correct horse", &error), 0);
    CHECK_INT(mw_users_add(users, "anna", NULL, 0, NULL, &error), 0);
    mw_users_free(users);
    users = opened();
    CHECK_INT(mw_users_count(users), 2);
    CHECK_TEXT(mw_users_at(users, 0)->name, "anna");
    CHECK(mw_users_at(users, 0)->password_hash == NULL);
    CHECK(mw_users_at(users, 2) == NULL);
    bob = mw_users_find(users, "bob");
    CHECK_INT(bob->role_count, 2);
    CHECK_TEXT(bob->roles[0], "admin");
    CHECK_TEXT(bob->roles[1], "operator");
    CHECK(mw_password_matches(bob->password_hash, "correct horse"));
    CHECK(!mw_password_matches(bob->password_hash, "correct hors"));
    CHECK(mw_users_find(users, "Bob") == NULL);
    mw_users_free(users);
    end();
}

static void the_file_holds_no_password_and_is_nobody_elses(void)
{
    mw_users *users;
    struct stat status;
    char text[512] = "", token[MW_TOKEN_BYTES];
    int fd;

    begin();
    users = opened();
    CHECK_INT(mw_users_add(users, "bob", operator_role, 1, "correct horse", &error), 0);
    CHECK_INT(mw_users_issue_token(users, "bob", 60, token, &error), 0);
    CHECK_INT(stat(file, &status), 0);
    CHECK_INT(status.st_mode & 0777, 0600);
    fd = open(file, O_RDONLY);
    CHECK(read(fd, text, sizeof text - 1) > 0);
    close(fd);
    check_in("meshwork users 1\nuser bob since=", text);
    check_in(" roles=operator password=$argon2id$v=19$m=19456,t=2,p=1$", text);
    CHECK(strstr(text, "horse") == NULL && strstr(text, token) == NULL);
    mw_users_free(users);
    CHECK_INT(chmod(file, 0640), 0);
    CHECK_INT(mw_users_open(dir, &users, &error), -EPERM);
    check_in("chmod 600 it", error.text);
    CHECK_INT(chmod(file, 0600), 0);
    CHECK_INT(chmod(dir, 0755), 0);
    CHECK_INT(mw_users_open(dir, &users, &error), -EPERM);
    check_in("chmod 700 it", error.text);
    end();
}

static void what_another_process_changes_is_seen_at_a_look(void)
{
    mw_users *ours, *theirs;
    int64_t since;

    begin();
    ours = opened();
    theirs = opened();
    CHECK_INT(mw_users_look(ours, &error), 0);
    CHECK_INT(mw_users_add(theirs, "bob", operator_role, 1, "correct horse", &error), 0);
    CHECK_INT(mw_users_look(ours, &error), 1);
    CHECK_INT(mw_users_look(ours, &error), 0);
    since = mw_users_find(ours, "bob")->since;
    CHECK_INT(mw_users_set_roles(ours, "bob", two_roles, 2, &error), 0); /* another role is no other password */
    CHECK_INT(mw_users_find(ours, "bob")->since, since);
    CHECK_INT(mw_users_set_password(theirs, "bob", "battery staple", &error), 0); /* of what the file has now */
    CHECK_INT(mw_users_look(ours, &error), 1);
    CHECK(mw_users_find(ours, "bob")->since > since);
    CHECK_INT(mw_users_find(ours, "bob")->role_count, 2);
    CHECK_INT(mw_users_remove(theirs, "bob", &error), 0);
    CHECK_INT(mw_users_look(ours, &error), 1);
    CHECK_INT(mw_users_count(ours), 0);
    mw_users_free(ours);
    mw_users_free(theirs);
    end();
}

static void two_processes_that_add_lose_nobody(void)
{
    enum { EACH = 20 };
    mw_users *users;
    int who, i, status;

    begin();
    for (who = 0; who < 3; who++)
        if (fork() == 0) {
            int err = mw_users_open(dir, &users, NULL);

            for (i = 0; err == 0 && i < EACH; i++) {
                char name[16];

                (void)snprintf(name, sizeof name, "u%d.%d", who, i);
                err = mw_users_add(users, name, operator_role, 1, NULL, NULL);
            }
            _exit(err < 0);
        }
    for (who = 0; who < 3; who++) {
        CHECK(wait(&status) > 0);
        CHECK_INT(status, 0);
    }
    users = opened();
    CHECK_INT(mw_users_count(users), 3 * EACH);
    mw_users_free(users);
    end();
}

static void what_cannot_be_is_refused_with_a_reason_and_changes_nothing(void)
{
    static const char *const bad_names[] = {"", "a b", "a,b", "a/b", "a=b", "a:b", "a@b", "a\"b", "a\nb", "\xff", "anonymous", "local",
        "0123456789012345678901234567890123456789012345678901234567890123x"};
    static const char *const bad_role[] = {"ope rator"};
    mw_users *users;
    char token[MW_TOKEN_BYTES];

    begin();
    users = opened();
    for (size_t i = 0; i < sizeof bad_names / sizeof bad_names[0]; i++)
        CHECK_INT(mw_users_add(users, bad_names[i], NULL, 0, NULL, &error), -EINVAL);
    CHECK_INT(mw_users_add(users, "bob", bad_role, 1, NULL, &error), -EINVAL);
    check_in("'ope rator' can name no role", error.text);
    CHECK_INT(mw_users_add(users, "bob", NULL, 0, "1234567", &error), -EINVAL);
    check_in("8 to 256 bytes; this one has 7", error.text);
    CHECK_INT(mw_users_add(users, "bob", NULL, 0, NULL, &error), 0);
    CHECK_INT(mw_users_add(users, "bob", NULL, 0, NULL, &error), -EEXIST);
    CHECK_INT(mw_users_remove(users, "eve", &error), -ENOENT);
    check_in("there is no user 'eve'", error.text);
    CHECK_INT(mw_users_set_password(users, "eve", "long enough", &error), -ENOENT);
    CHECK_INT(mw_users_issue_token(users, "eve", 60, token, &error), -ENOENT);
    CHECK_INT(mw_users_issue_token(users, "bob", 0, token, &error), -ERANGE);
    CHECK_INT(mw_users_issue_token(users, "bob", MW_TOKEN_MOST_S + 1, token, &error), -ERANGE);
    CHECK_INT(mw_users_revoke_token(users, "12345678", &error), -ENOENT);
    CHECK_INT(mw_users_count(users), 1);
    mw_users_free(users);
    end();
}

static void a_token_is_its_users_until_it_ends_or_is_revoked(void)
{
    mw_users *users;
    char token[MW_TOKEN_BYTES], other[MW_TOKEN_BYTES], id[MW_TOKEN_ID_BYTES];
    int64_t now_s = (int64_t)time(NULL), ends_s;
    mw_token found = {0};

    begin();
    users = opened();
    CHECK_INT(mw_users_add(users, "bob", operator_role, 1, NULL, &error), 0);
    CHECK_INT(mw_users_add(users, "eve", operator_role, 1, NULL, &error), 0);
    CHECK_INT(mw_users_issue_token(users, "bob", 60, token, &error), 0);
    CHECK_INT(strlen(token), 64);
    CHECK_TEXT(mw_users_by_token(users, token, now_s, &found)->name, "bob");
    CHECK_TEXT(found.user, "bob");
    ends_s = found.ends_s;
    CHECK(mw_users_has_token(users, found.id, now_s));
    CHECK(!mw_users_has_token(users, found.id, ends_s));
    CHECK(ends_s >= now_s + 60 && ends_s <= now_s + 80);
    CHECK(mw_users_by_token(users, token, ends_s, NULL) == NULL);
    token[0] ^= 1;
    CHECK(mw_users_by_token(users, token, now_s, NULL) == NULL);
    token[0] ^= 1;
    CHECK_INT(mw_users_issue_token(users, "eve", 60, other, &error), 0);
    CHECK_INT(mw_users_token_count(users), 2);
    CHECK(mw_users_token_at(users, 2).id == NULL);
    for (size_t i = 0; i < 2; i++)
        if (strcmp(mw_users_token_at(users, i).user, "bob") == 0)
            (void)snprintf(id, sizeof id, "%s", mw_users_token_at(users, i).id);
    CHECK_INT(mw_users_revoke_token(users, id, &error), 0);
    CHECK(!mw_users_has_token(users, id, now_s));
    CHECK(mw_users_by_token(users, token, now_s, NULL) == NULL);
    CHECK_TEXT(mw_users_by_token(users, other, now_s, NULL)->name, "eve");
    CHECK_INT(mw_users_remove(users, "eve", &error), 0); /* their tokens go with them */
    CHECK_INT(mw_users_token_count(users), 0);
    mw_users_free(users);
    end();
}

static void a_broken_file_is_refused_with_its_line_and_what_was_there_stays(void)
{
    static const struct {
        const char *text, *why;
        int code;
    } broken[] = {
        {"", "is no file of users", -EINVAL},
        {"meshwork users 2\n", "of a later version", -ENOTSUP},
        {"meshwork users 1\n\nusr bob\n", "line 3: 'usr' begins no line", -EINVAL},
        {"meshwork users 1\nuser bob since=x roles= password=\n", "line 2: no user", -EINVAL},
        {"meshwork users 1\nuser bob since=1 password=\n", "line 2: user 'bob': roles= is missing", -EINVAL},
        {"meshwork users 1\nuser bob since=1 roles=a, password=\n", "'' is no role", -EINVAL},
        {"meshwork users 1\nuser bob since=1 roles= password=secret\n", "a hash of Argon2id", -EINVAL},
        {"meshwork users 1\nuser bob since=1 roles= password= more\n", "at the end", -EINVAL},
        {"meshwork users 1\nuser bob since=1 roles= password=\nuser bob since=1 roles= password=\n", "two users 'bob'", -EINVAL},
        {"meshwork users 1\ntoken 12345678 user=bob ends=1 hash=00\n", "line 2: no token", -EINVAL},
    };
    mw_users *users, *none;

    begin();
    users = opened();
    CHECK_INT(mw_users_add(users, "bob", operator_role, 1, NULL, &error), 0);
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        write_users(broken[i].text);
        CHECK_INT(mw_users_open(dir, &none, &error), broken[i].code);
        check_in(broken[i].why, error.text);
        CHECK_INT(mw_users_look(users, &error), broken[i].code);
        CHECK_INT(mw_users_look(users, &error), 0); /* said once */
        CHECK_TEXT(mw_users_at(users, 0)->name, "bob");
        CHECK_INT(mw_users_add(users, "eve", NULL, 0, NULL, &error), broken[i].code); /* nothing is written over it */
    }
    mw_users_free(users);
    end();
}

static void nobodys_password_is_judged_too(void)
{
    CHECK(!mw_password_matches(NULL, "correct horse"));
    CHECK(!mw_password_matches(NULL, ""));
}

static void a_password_past_256_bytes_is_wrong_even_where_its_beginning_is_right(void)
{
    char password[300], hash[MW_PASSWORD_HASH_BYTES];

    memset(password, 'x', sizeof password);
    password[256] = '\0';
    CHECK_INT(mw_password_hash(password, hash, NULL), 0);
    CHECK(mw_password_matches(hash, password));
    password[256] = 'x';
    password[299] = '\0';
    CHECK(!mw_password_matches(hash, password));
    CHECK_INT(mw_password_hash(password, hash, NULL), -EINVAL);
}

int main(int argc, char **argv)
{
    static const struct mw_test tests[] = {
        TEST(a_user_is_found_again_by_who_opens_the_directory),
        TEST(the_file_holds_no_password_and_is_nobody_elses),
        TEST(what_another_process_changes_is_seen_at_a_look),
        TEST(two_processes_that_add_lose_nobody),
        TEST(what_cannot_be_is_refused_with_a_reason_and_changes_nothing),
        TEST(a_token_is_its_users_until_it_ends_or_is_revoked),
        TEST(a_broken_file_is_refused_with_its_line_and_what_was_there_stays),
        TEST(nobodys_password_is_judged_too),
        TEST(a_password_past_256_bytes_is_wrong_even_where_its_beginning_is_right),
    };
    return mw_test_main(argc, argv, tests, MW_COUNT(tests));
}
