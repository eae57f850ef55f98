/**
 * Which of the records are shown.
 *
 * Gaps and notices always are: whoever looks for one type of updates wants to know, too,
 * that some may be missing.
 */

/**
 * @param {string} text  what an update's data, id or topics contain, in any case
 * @param {string} type  of the event; '' for all
 * @returns {(record: import('./record.js').Entry) => boolean}
 */
export function makeFilter(text, type) {
  const wanted = text.toLowerCase();
  const contains = (part) => part.toLowerCase().includes(wanted);
  return (record) => {
    if (record.kind !== 'update') return true;
    if (type !== '' && record.type !== type) return false;
    return wanted === '' || contains(record.data) || contains(record.id) || record.topics.some(contains);
  };
}
