/** What is read off a wristband against the patient of the list, as `checklists/rules/identity.py` compares it. */
const TURKISH = { ı: "i", İ: "i", I: "i", ß: "ss" };

export const letters = (text) => [...text.replace(/[ıİIß]/g, (letter) => TURKISH[letter]).toLowerCase().normalize("NFKD")].filter((letter) => /[\p{L}\p{N}]/u.test(letter)).join("");
const words = (text) => text.replaceAll(",", " ").split(/\s+/).map(letters).filter(Boolean);

/** Holds the name the whole family name and a given name, in any order, and nothing else? */
export const sameName = (said, family, given) => {
  const rest = words(said);
  for (const word of words(family)) {
    if (!rest.includes(word)) return false;
    rest.splice(rest.indexOf(word), 1);
  }
  const first = words(given);
  return rest.length > 0 && rest.every((word) => first.includes(word));
};

/** Without a network the tablet knows name and birth date; the record number never leaves the server. */
export const compare = (said, patient) => ({
  ...(said.name ? { name: sameName(said.name, patient.family_name, patient.given_name) } : {}),
  ...(said.birth_date ? { birth_date: said.birth_date === patient.birth_date } : {}),
});

/** "14 03 1948", "14.3.1948", "14031948" or "1948-03-14" as an ISO date; undefined when it is none. */
export const bornOn = (text) => {
  const iso = text.trim().match(/^(\d{4})-(\d\d)-(\d\d)$/);
  const found = iso ? [iso[3], iso[2], iso[1]] : (text.trim().match(/^(\d{1,2})[\s./-]*(\d{1,2})[\s./-]*(\d{4})$/) ?? []).slice(1);
  if (found.length !== 3) return undefined;
  const day = `${found[2]}-${found[1].padStart(2, "0")}-${found[0].padStart(2, "0")}`;
  return Number.isNaN(Date.parse(day)) || new Date(day).toISOString().slice(0, 10) !== day ? undefined : day;
};
