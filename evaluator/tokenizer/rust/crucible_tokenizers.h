// C interface of the Hugging Face `tokenizers` library (src/lib.rs implements it; keep the two together).
//
// Any number of threads may use one tokenizer at once, except to free it. Text is UTF-8 with an explicit
// length and may hold NUL bytes. Memory that a function hands out is given back by
// crucible_tokenizer_release. Functions that can fail take `error`: on failure it is set to a message to
// release, on success to NULL. No exception or panic leaves a function.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct crucible_tokenizer crucible_tokenizer;

// Reads the content of a tokenizer.json. Its truncation and padding settings are dropped: encoding
// always gives every id and nothing else. NULL on failure.
crucible_tokenizer* crucible_tokenizer_load(const char* json, size_t length, char** error);
void crucible_tokenizer_free(crucible_tokenizer* tokenizer);

// The ids of `text`; with `add_special` also those the post-processor adds (BOS, EOS). Special tokens
// spelled out in the text become their ids either way. False on failure.
bool crucible_tokenizer_encode(const crucible_tokenizer* tokenizer, const char* text, size_t length,
                               bool add_special, uint32_t** ids, size_t* count, char** error);

// The text of `ids`, NUL-terminated, its length without that in `length`. Ids outside the vocabulary are
// left out. NULL on failure.
char* crucible_tokenizer_decode(const crucible_tokenizer* tokenizer, const uint32_t* ids, size_t count,
                                bool skip_special, size_t* length, char** error);

// The id of a token as the vocabulary spells it, or -1.
int64_t crucible_tokenizer_token_to_id(const crucible_tokenizer* tokenizer, const char* token,
                                       size_t length);

// The spelling of an id, NUL-terminated, or NULL when there is none.
char* crucible_tokenizer_id_to_token(const crucible_tokenizer* tokenizer, uint32_t id, size_t* length);

size_t crucible_tokenizer_vocab_size(const crucible_tokenizer* tokenizer, bool with_added);

// Frees ids, text or a message handed out above. NULL is allowed.
void crucible_tokenizer_release(void* memory);

#ifdef __cplusplus
}
#endif
