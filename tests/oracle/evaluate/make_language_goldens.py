#!/usr/bin/env python3
"""Makes the reference answers of language detection: langdetect 1.0.9 at seed 0, under CPython 3.11.

    make_language_goldens.py [FILE]

Writes FILE, goldens/languages.json unless given: [text, language] pairs, null where langdetect finds nothing to go by.
Needs langdetect; the tests need only what it writes.
"""
import json
import pathlib
import sys

import langdetect

SENTENCES = [
    "The boat left the harbour before the sun came up.", "El barco salió del puerto antes de que saliera el sol.",
    "O barco deixou o porto antes do nascer do sol.", "غادر القارب الميناء قبل شروق الشمس.",
    "नाव सूरज निकलने से पहले बंदरगाह से चली गई।", "Le bateau a quitté le port avant le lever du soleil.",
    "Лодка покинула гавань до восхода солнца.", "Das Boot verließ den Hafen, bevor die Sonne aufging.",
    "船は日の出前に港を出ました。", "La barca lasciò il porto prima del sorgere del sole.",
    "সূর্য ওঠার আগেই নৌকাটি বন্দর ছেড়ে চলে গেল।", "Човен залишив гавань до сходу сонця.",
    "เรือออกจากท่าก่อนพระอาทิตย์ขึ้น", "کشتی سورج نکلنے سے پہلے بندرگاہ سے روانہ ہو گئی۔",
    "சூரியன் உதிக்கும் முன் படகு துறைமுகத்தை விட்டுச் சென்றது.", "సూర్యుడు ఉదయించక ముందే పడవ నౌకాశ్రయం విడిచి వెళ్ళింది.",
    "Лодката напусна пристанището преди изгрев слънце.", "배는 해가 뜨기 전에 항구를 떠났습니다.",
    "Łódź opuściła port przed wschodem słońca.", "הסירה עזבה את הנמל לפני הזריחה.",
    "قایق پیش از طلوع آفتاب بندر را ترک کرد.", "Con thuyền rời cảng trước khi mặt trời mọc.",
    "घाम झुल्किनुअघि डुङ्गा बन्दरगाहबाट हिँड्यो।", "Mashua iliondoka bandarini kabla ya jua kuchomoza.",
    "ಸೂರ್ಯ ಹುಟ್ಟುವ ಮೊದಲು ದೋಣಿ ಬಂದರನ್ನು ಬಿಟ್ಟಿತು.", "सूर्य उगवण्यापूर्वी होडी बंदरातून निघाली.",
    "સૂર્ય ઊગે તે પહેલાં હોડી બંદર છોડી ગઈ.", "ਸੂਰਜ ਚੜ੍ਹਨ ਤੋਂ ਪਹਿਲਾਂ ਕਿਸ਼ਤੀ ਬੰਦਰਗਾਹ ਛੱਡ ਗਈ।",
    "സൂര്യൻ ഉദിക്കുന്നതിനു മുമ്പ് വള്ളം തുറമുഖം വിട്ടു.", "Vene lähti satamasta ennen auringonnousua.",
    "船在日出之前离开了港口。", "船在日出之前離開了港口。", "De boot verliet de haven voordat de zon opkwam.",
    "Båten lämnade hamnen innan solen gick upp.", "Tekne güneş doğmadan önce limandan ayrıldı.",
]
OTHERS = [
    "", "   ", "12345 67.8 %", "!?…", "ok", "Yes", "<<title>>", "https://example.com/a?b=c", "mail@example.com",
    "{\"name\": \"value\"}", "The word شمس means sun, and солнце too.", "日本語 and English mixed in one line",
    "E = mc^2", "Tiê\u0301ng Viê\u0323t co\u0301 dâ\u0301u", "ÇA VA TRÈS BIEN AUJOURD'HUI", "la la la la la", "a b c d e f g",
]


def detect(text):
    try:
        return langdetect.detect(text)
    except langdetect.LangDetectException:
        return None


def main() -> None:
    default = pathlib.Path(__file__).resolve().parent / "goldens" / "languages.json"
    out = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    langdetect.DetectorFactory.seed = 0
    texts = OTHERS + [variant for text in SENTENCES for variant in (text, text.upper(), text.lower(), text[:9])]
    pairs = [[text, detect(text)] for text in dict.fromkeys(texts)]
    lines = ",\n".join(json.dumps(pair, ensure_ascii=False) for pair in pairs)
    out.write_text(f"[{lines}]\n")
    print(f"{len(pairs)} texts, {len({language for _, language in pairs})} answers")


if __name__ == "__main__":
    main()
