//! The built-in texts. They promise nothing that the hotline may not keep.

use routing::PromptKind;

/// Language, greeting, invitation, thanks.
const TEXTS: [(&str, [&str; 3]); 6] = [
    (
        "en",
        [
            "Thank you for calling. We are looking for someone to talk with you. Please stay on the line.",
            "Nobody can take your call right now. You can leave a message after the tone. Hang up when you are done.",
            "Thank you. Your message has been kept. Goodbye.",
        ],
    ),
    (
        "es",
        [
            "Gracias por llamar. Estamos buscando a alguien que hable con usted. Por favor, no cuelgue.",
            "En este momento nadie puede atender su llamada. Puede dejar un mensaje después de la señal. Cuelgue cuando termine.",
            "Gracias. Su mensaje ha quedado guardado. Adiós.",
        ],
    ),
    (
        "fr",
        [
            "Merci de votre appel. Nous cherchons quelqu'un pour vous parler. Veuillez rester en ligne.",
            "Personne ne peut vous répondre en ce moment. Vous pouvez laisser un message après le signal sonore. Raccrochez quand vous avez terminé.",
            "Merci. Votre message a été conservé. Au revoir.",
        ],
    ),
    (
        "de",
        [
            "Danke für Ihren Anruf. Wir suchen jemanden, der mit Ihnen spricht. Bitte bleiben Sie am Apparat.",
            "Im Moment kann niemand Ihren Anruf annehmen. Sie können nach dem Ton eine Nachricht hinterlassen. Legen Sie auf, wenn Sie fertig sind.",
            "Danke. Ihre Nachricht ist gespeichert. Auf Wiederhören.",
        ],
    ),
    (
        "pt",
        [
            "Obrigado por ligar. Estamos à procura de alguém para falar consigo. Por favor, não desligue.",
            "De momento ninguém pode atender a sua chamada. Pode deixar uma mensagem depois do sinal. Desligue quando terminar.",
            "Obrigado. A sua mensagem foi guardada. Adeus.",
        ],
    ),
    (
        "it",
        [
            "Grazie per aver chiamato. Stiamo cercando qualcuno che parli con lei. Resti in linea, per favore.",
            "In questo momento nessuno può rispondere. Può lasciare un messaggio dopo il segnale acustico. Riagganci quando ha finito.",
            "Grazie. Il suo messaggio è stato conservato. Arrivederci.",
        ],
    ),
];

/// Whether there are texts in `language` (a tag; only its first part counts).
#[must_use]
pub fn has_language(language: &str) -> bool {
    texts_in(language).is_some()
}

/// The text of a kind and the language to speak it in: `language`, or English when there is none
/// in it. `None` for music.
#[must_use]
pub fn built_in(language: &str, kind: PromptKind) -> Option<(&'static str, &str)> {
    let index = match kind {
        PromptKind::Greeting => 0,
        PromptKind::HoldMusic => return None,
        PromptKind::VoicemailInvitation => 1,
        PromptKind::VoicemailThanks => 2,
    };
    Some(match texts_in(language) {
        Some(texts) => (texts[index], language),
        None => (TEXTS[0].1[index], TEXTS[0].0),
    })
}

fn texts_in(language: &str) -> Option<&'static [&'static str; 3]> {
    let primary = language.split('-').next().unwrap_or(language);
    TEXTS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(primary))
        .map(|(_, texts)| texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regional_callers_hear_their_language_and_others_english() {
        let greeting = |language| built_in(language, PromptKind::Greeting).unwrap();
        assert!(greeting("es-mx").0.starts_with("Gracias"));
        assert_eq!(greeting("es-mx").1, "es-mx");
        assert_eq!(greeting("ht"), greeting("en"));
        assert!(!has_language("ht"));
        assert_eq!(built_in("en", PromptKind::HoldMusic), None);
    }
}
