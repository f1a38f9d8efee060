/* Compiles HLSL with Microsoft's compilers as wgpu does, and writes the disassembly beside it. Runs under Wine.
   Arguments: dxc or fxc. Standard input has a line for each file: its path without .hlsl, and the entry point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* COM by hand: the slots of the tables that are called. */
typedef struct Object { void **slots; } Object;
#define CALL(type, object, slot, ...) (((type)((object)->slots[slot]))(object, __VA_ARGS__))
#define GET(type, object, slot) (((type)((object)->slots[slot]))(object))
typedef void *(WINAPI *Pointer)(Object *);
typedef SIZE_T(WINAPI *Size)(Object *);
typedef ULONG(WINAPI *Release)(Object *);
static void *data_of(Object *blob) { return GET(Pointer, blob, 3); }
static SIZE_T size_of(Object *blob) { return GET(Size, blob, 4); }
static void release(Object *object) { if (object) GET(Release, object, 2); }

static char *read_file(const char *path, SIZE_T *size) {
    FILE *file = fopen(path, "rb");
    if (!file) { fprintf(stderr, "%s: can't be read\n", path); exit(2); }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (fread(text, 1, *size, file) != *size) exit(2);
    fclose(file);
    return text;
}

static void write_file(const char *base, const char *suffix, Object *blob) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", base, suffix);
    FILE *file = fopen(path, "wb");
    if (!file) { fprintf(stderr, "%s: can't be written\n", path); exit(2); }
    const char *text = data_of(blob);
    /* Its terminating zero isn't written. */
    fwrite(text, 1, strnlen(text, size_of(blob)), file);
    fclose(file);
}

static void *function_of(const char *dll, const char *name) {
    HMODULE module = LoadLibraryA(dll);
    void *function = module ? (void *)GetProcAddress(module, name) : NULL;
    if (!function) { fprintf(stderr, "%s: no %s (error %lu)\n", dll, name, GetLastError()); exit(2); }
    return function;
}

typedef HRESULT(WINAPI *D3DCompile)(const void *, SIZE_T, const char *, const void *, void *, const char *, const char *,
                                    UINT, UINT, Object **, Object **);
typedef HRESULT(WINAPI *D3DDisassemble)(const void *, SIZE_T, UINT, const char *, Object **);
#define ENABLE_STRICTNESS (1 << 11)

static int fxc(const char *base, const char *entry, const char *text, SIZE_T size) {
    static D3DCompile compile;
    static D3DDisassemble disassemble;
    if (!compile) {
        compile = (D3DCompile)function_of("d3dcompiler_47.dll", "D3DCompile");
        disassemble = (D3DDisassemble)function_of("d3dcompiler_47.dll", "D3DDisassemble");
    }
    Object *code = NULL, *errors = NULL, *listing = NULL;
    HRESULT result = compile(text, size, base, NULL, NULL, entry, "cs_5_1", ENABLE_STRICTNESS, 0, &code, &errors);
    if (result < 0 || disassemble(data_of(code), size_of(code), 0, NULL, &listing) < 0) {
        fprintf(stderr, "%s: %s\n", base, errors ? (char *)data_of(errors) : "FXC failed");
        return 1;
    }
    write_file(base, "fxc", listing);
    release(code), release(errors), release(listing);
    return 0;
}

static const GUID COMPILER = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};
typedef struct { const void *data; SIZE_T size; UINT encoding; } Buffer;
typedef HRESULT(WINAPI *Create)(const GUID *, const GUID *, Object **);
typedef HRESULT(WINAPI *Compile)(Object *, const Buffer *, const wchar_t **, UINT, void *, const GUID *, Object **);
typedef HRESULT(WINAPI *Disassemble)(Object *, const Buffer *, const GUID *, Object **);
typedef HRESULT(WINAPI *Status)(Object *, HRESULT *);
typedef HRESULT(WINAPI *Blob)(Object *, Object **);

static int dxc(const char *base, const char *entry, const char *text, SIZE_T size) {
    static Object *compiler;
    if (!compiler) {
        Create create = (Create)function_of("dxcompiler.dll", "DxcCreateInstance");
        if (create(&COMPILER, &COMPILER3, &compiler) < 0) { fprintf(stderr, "no IDxcCompiler3\n"); exit(2); }
    }
    wchar_t name[256];
    mbstowcs(name, entry, 256);
    const wchar_t *arguments[] = {L"-E", name, L"-T", L"cs_6_0", L"-HV", L"2018", L"-no-warnings", L"-Ges"};
    Buffer source = {text, size, CP_UTF8};
    Object *compiled = NULL, *code = NULL, *listed = NULL, *listing = NULL;
    HRESULT status = -1;
    CALL(Compile, compiler, 3, &source, arguments, 8, NULL, &RESULT, &compiled);
    if (compiled) CALL(Status, compiled, 3, &status);
    if (status < 0) {
        Object *errors = NULL;
        if (compiled) CALL(Blob, compiled, 5, &errors);
        fprintf(stderr, "%s: %s\n", base, errors ? (char *)data_of(errors) : "DXC failed");
        return 1;
    }
    CALL(Blob, compiled, 4, &code);
    Buffer object = {data_of(code), size_of(code), 0};
    CALL(Disassemble, compiler, 4, &object, &RESULT, &listed);
    if (listed) CALL(Blob, listed, 4, &listing);
    if (!listing) { fprintf(stderr, "%s: no disassembly\n", base); return 1; }
    write_file(base, "dxc", listing);
    release(listing), release(listed), release(code), release(compiled);
    return 0;
}

int main(int count, char **arguments) {
    if (count != 2) return 2;
    int failed = 0;
    char base[2048], entry[256], path[4096];
    while (scanf("%2047s %255s", base, entry) == 2) {
        SIZE_T size;
        snprintf(path, sizeof path, "%s.hlsl", base);
        char *text = read_file(path, &size);
        failed += strcmp(arguments[1], "fxc") ? dxc(base, entry, text, size) : fxc(base, entry, text, size);
        free(text);
    }
    return failed ? 1 : 0;
}
